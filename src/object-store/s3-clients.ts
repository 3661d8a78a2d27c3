import * as https from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { type AgentOptions, directAgent, type MakeAgent } from '../outbound/direct-agent.ts';
import { noteConnectionErrors } from './s3-connection-errors.ts';

const CONNECTION_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 60_000;
/** 10,000 parts took MinIO 4 to 8 s on two idle cores (measured). */
export const LIST_PARTS_TIMEOUT_MS = 180_000;
/** An object store may assemble a huge object for minutes before it answers. */
export const COMPLETE_TIMEOUT_MS = 15 * 60_000;

/** The SDK's default for agents that it makes itself. */
const MAX_SOCKETS = 50;

const CALL_TIMEOUTS = {
  connectionTimeout: CONNECTION_TIMEOUT_MS,
  requestTimeout: CALL_TIMEOUT_MS,
  throwOnRequestTimeout: true,
} as const;

export interface S3Account {
  /** URL under which this process reaches the object store. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Token of an STS session. */
  readonly sessionToken?: string;
  /** Makes the agent for connections to the object store; direct if omitted. */
  readonly makeAgent?: MakeAgent | undefined;
}

/** Time limits of the SDK's calls, and the agent for their endpoint. */
export function requestHandler(
  { endpoint, makeAgent = directAgent }: Pick<S3Account, 'endpoint' | 'makeAgent'>,
  options: AgentOptions = { keepAlive: true, maxSockets: MAX_SOCKETS },
) {
  const agent = makeAgent(endpoint, options);
  return { ...CALL_TIMEOUTS, ...(agent instanceof https.Agent ? { httpsAgent: agent } : { httpAgent: agent }) };
}

/**
 * Makes two clients. One may repeat a call by itself. The other, for Create and Complete, sends each call exactly once: a repeated
 * Create leaves an upload that is on no record, and a repeat of a Complete that succeeded looks like a failure.
 */
export function createClients(account: S3Account) {
  const singleCalls = new S3Client({
    ...commonSettings(account),
    maxAttempts: 1,
    // The object store may be closing a kept connection at this moment, and there is no second attempt.
    requestHandler: { ...requestHandler(account, { keepAlive: false }), socketTimeout: COMPLETE_TIMEOUT_MS },
  });
  noteConnectionErrors(singleCalls.middlewareStack);
  return { calls: createCalls(account), singleCalls };
}

/** Makes the client for calls that may be repeated. */
export function createCalls(account: S3Account): S3Client {
  const client = new S3Client({
    ...commonSettings(account),
    maxAttempts: 2,
    requestHandler: { ...requestHandler(account), socketTimeout: LIST_PARTS_TIMEOUT_MS },
  });
  noteConnectionErrors(client.middlewareStack);
  return client;
}

function commonSettings({ endpoint, region, accessKeyId, secretAccessKey, sessionToken }: S3Account) {
  // The SDK's first client warns on Node 20, although the pinned versions work there.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  return {
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
}
