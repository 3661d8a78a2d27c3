import { S3Client } from '@aws-sdk/client-s3';

const CONNECTION_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 60_000;
/** 10,000 parts took MinIO 4 to 8 s on two idle cores (measured). */
export const LIST_PARTS_TIMEOUT_MS = 180_000;
/** A store may assemble a huge object for minutes before it answers. */
export const COMPLETE_TIMEOUT_MS = 15 * 60_000;

export interface S3Account {
  /** Where this process reaches the store. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * Two clients: one may repeat a call by itself; the other, for Create and Complete, sends each exactly once, because a
 * repeated Create leaves an upload that nobody knows, and a repeat of a Complete that succeeded looks like a failure.
 */
export function createClients({ endpoint, region, accessKeyId, secretAccessKey }: S3Account) {
  // The SDK warns on Node 20 from its first client on; the versions partway pins work there.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const shared = {
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
  const timeouts = { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout: CALL_TIMEOUT_MS, throwOnRequestTimeout: true };
  const calls = new S3Client({
    ...shared,
    maxAttempts: 2,
    requestHandler: { ...timeouts, socketTimeout: LIST_PARTS_TIMEOUT_MS },
  });
  const singleCalls = new S3Client({
    ...shared,
    maxAttempts: 1,
    // A kept connection may be one that the store is closing just now, and there is no second attempt to make up for it.
    requestHandler: {
      ...timeouts,
      socketTimeout: COMPLETE_TIMEOUT_MS,
      httpAgent: { keepAlive: false },
      httpsAgent: { keepAlive: false },
    },
  });
  return { calls, singleCalls };
}
