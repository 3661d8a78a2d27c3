/** A policy document of S3's access rights, as MinIO's admin API takes it. */
export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly PolicyStatement[];
}

interface PolicyStatement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/**
 * What the control plane's own key needs, and no more; docs/minio-policy.md shows it. Objects may be read (HEAD) only by
 * requests that are signed in a header: a presigned URL that is made to copy (x-amz-copy-source) reads nothing.
 */
export function controlPlanePolicy(bucket: string, keyPrefix = ''): PolicyDocument {
  const bucketArn = `arn:aws:s3:::${bucket}`;
  const objectArn = `${bucketArn}/${keyPrefix}*`;
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
        Resource: [objectArn],
      },
      {
        Effect: 'Allow',
        Action: ['s3:GetObject'],
        Resource: [objectArn],
        Condition: { StringEquals: { 's3:authType': ['REST-HEADER'] } },
      },
      // MinIO takes no condition on the prefix for this one (measured).
      { Effect: 'Allow', Action: ['s3:ListBucketMultipartUploads'], Resource: [bucketArn] },
      {
        Effect: 'Allow',
        Action: ['s3:ListBucket'],
        Resource: [bucketArn],
        ...(keyPrefix === '' ? {} : { Condition: { StringLike: { 's3:prefix': [`${keyPrefix}*`] } } }),
      },
    ],
  };
}
