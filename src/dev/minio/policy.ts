/** An S3 policy document, in the form that MinIO's admin API expects. */
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
 * A condition that accepts the two ways of signing a request. For requests whose signature MinIO does not check, it leaves the type empty
 * (CVE-2026-41145, CVE-2026-40344), so on PutObject this condition refuses forged writes (measured).
 */
const SIGNED = { StringEquals: { 's3:authType': ['REST-HEADER', 'REST-QUERY-STRING'] } };

/**
 * The rights that the control plane's own key needs, and no more; docs/minio-policy.md shows them. Only requests that are signed in a header may
 * read objects (HEAD): a presigned URL that is turned into a copy (x-amz-copy-source) reads nothing. PutObject accepts both types of signature:
 * the key itself signs in headers, and a session that it requests may do no more than the key.
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
      // MinIO accepts no condition on the prefix for this action (measured).
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

/** The rights of a key pair that only signs part URLs (PARTWAY_S3_SIGNING_ACCESS_KEY_ID). */
export function signingKeyPolicy(bucket: string, keyPrefix = ''): PolicyDocument {
  const objectArn = `arn:aws:s3:::${bucket}/${keyPrefix}*`;
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['s3:PutObject'], Resource: [objectArn], Condition: SIGNED }],
  };
}
