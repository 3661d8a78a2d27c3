import { CreateBucketCommand, HeadBucketCommand, ListBucketsCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';

export interface S3Target {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Creates the bucket unless it exists. */
export async function createBucket(target: S3Target, bucket: string): Promise<void> {
  await withClient(target, async (client) => {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
    } catch (error) {
      if (hasName(error, 'BucketAlreadyOwnedByYou')) return;
      // A key without the right to create buckets is enough if the bucket exists already.
      if (hasName(error, 'AccessDenied') && (await bucketAnswers(client, bucket))) return;
      throw error;
    }
  });
}

/** Whether the server at this endpoint knows these credentials and already serves requests. */
export async function acceptsCredentials(target: S3Target): Promise<boolean> {
  return withClient(target, (client) =>
    client.send(new ListBucketsCommand({})).then(
      () => true,
      () => false,
    ),
  );
}

function bucketAnswers(client: S3Client, bucket: string): Promise<boolean> {
  return client.send(new HeadBucketCommand({ Bucket: bucket })).then(
    () => true,
    () => false,
  );
}

function hasName(error: unknown, name: string): boolean {
  return error instanceof S3ServiceException && error.name === name;
}

async function withClient<T>(target: S3Target, use: (client: S3Client) => Promise<T>): Promise<T> {
  // The SDK warns on Node 20 with every new process; our version of it is pinned to one that supports 20.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const { endpoint, region, accessKeyId, secretAccessKey } = target;
  const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}
