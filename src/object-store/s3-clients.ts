import * as https from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { type AgentOptions, directAgent, type MakeAgent } from '../outbound/direct-agent.ts';
import { noteConnectionErrors } from './s3-connection-errors.ts';

const CONNECTION_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 60_000;
/** 10,000 parts took MinIO 4 to 8 s on two idle cores (measured). */
export const LIST_PARTS_TIMEOUT_MS = 180_000;
/** A store may assemble a huge object for minutes before it answers. */
export const COMPLETE_TIMEOUT_MS = 15 * 60_000;

/** The SDK's own, which it uses where it makes the agent. */
const MAX_SOCKETS = 50;

const CALL_TIMEOUTS = {
  connectionTimeout: CONNECTION_TIMEOUT_MS,
  requestTimeout: CALL_TIMEOUT_MS,
  throwOnRequestTimeout: true,
} as const;

export interface S3Account {
  /** Where this process reaches the store. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of an STS session. */
  readonly sessionToken?: string;
  /** The way to the store; straight unless given. */
  readonly makeAgent?: MakeAgent | undefined;
}

/** Time limits of the SDK's calls, and the agent for the one endpoint that they go to. */
export function requestHandler(
  { endpoint, makeAgent = directAgent }: Pick<S3Account, 'endpoint' | 'makeAgent'>,
  options: AgentOptions = { keepAlive: true, maxSockets: MAX_SOCKETS },
) {
  const agent = makeAgent(endpoint, options);
  return { ...CALL_TIMEOUTS, ...(agent instanceof https.Agent ? { httpsAgent: agent } : { httpAgent: agent }) };
}

/**
 * Two clients: one may repeat a call by itself; the other, for Create and Complete, sends each exactly once, because a
 * repeated Create leaves an upload that nobody knows, and a repeat of a Complete that succeeded looks like a failure.
 */
export function createClients(account: S3Account) {
  const singleCalls = new S3Client({
    ...commonSettings(account),
    maxAttempts: 1,
    // A kept connection may be one that the store is closing just now, and there is no second attempt to make up for it.
    requestHandler: { ...requestHandler(account, { keepAlive: false }), socketTimeout: COMPLETE_TIMEOUT_MS },
  });
  noteConnectionErrors(singleCalls.middlewareStack);
  return { calls: createCalls(account), singleCalls };
}

/** The client for calls that may be repeated. */
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
  // The SDK warns on Node 20 from its first client on; the versions partway pins work there.
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
