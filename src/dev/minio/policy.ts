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
 * The two ways of signing a request. MinIO leaves the type empty for requests whose signature it does not check (CVE-2026-41145,
 * CVE-2026-40344), so this condition on PutObject refuses forged writes (measured).
 */
const SIGNED = { StringEquals: { 's3:authType': ['REST-HEADER', 'REST-QUERY-STRING'] } };

/**
 * What the control plane's own key needs, and no more; docs/minio-policy.md shows it. Objects may be read (HEAD) only by
 * requests that are signed in a header: a presigned URL that is made to copy (x-amz-copy-source) reads nothing. PutObject takes both
 * types of signature: the key itself signs in headers, and a session that it asks for may do no more than the key.
 */
export function controlPlanePolicy(bucket: string, keyPrefix = ''): PolicyDocument {
  const bucketArn = `arn:aws:s3:::${bucket}`;
  const objectArn = `${bucketArn}/${keyPrefix}*`;
  return {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:PutObject'], Resource: [objectArn], Condition: SIGNED },
      { Effect: 'Allow', Action: ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'], Resource: [objectArn] },
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

/** The rights of a key pair that does nothing but sign part URLs (PARTWAY_S3_SIGNING_ACCESS_KEY_ID). */
export function signingKeyPolicy(bucket: string, keyPrefix = ''): PolicyDocument {
  const objectArn = `arn:aws:s3:::${bucket}/${keyPrefix}*`;
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['s3:PutObject'], Resource: [objectArn], Condition: SIGNED }],
  };
}
