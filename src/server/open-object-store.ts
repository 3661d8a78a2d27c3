import type { Logger } from 'pino';
import { createS3ObjectStore } from '../object-store/s3.ts';
import { findSignerFault } from '../object-store/signer-check.ts';
import type { SigningOptions } from '../object-store/signing-credentials.ts';
import type { MakeAgent } from '../outbound/direct-agent.ts';
import { ConfigError } from './core/config-error.ts';
import type { Config } from './settings/config.ts';

/** Makes the S3 adapter of the configured store. Contacts nothing. */
export function openObjectStore(config: Config, { makeAgent, log }: { readonly makeAgent: MakeAgent; readonly log: Logger }) {
  return createS3ObjectStore({
    ...withSecrets(config),
    signing: signingOptions(config),
    makeAgent,
    log,
  });
}

function signingOptions({ s3: { signing }, policy }: Config): SigningOptions {
  if (signing.kind === 'shared') return { kind: 'shared' };
  if (signing.kind !== 'key') return { kind: signing.kind, urlTtlSeconds: policy.urlTtlSeconds };
  return { kind: 'key', accessKeyId: signing.accessKeyId.reveal(), secretAccessKey: signing.secretAccessKey.reveal() };
}

/**
 * Compares a part URL by our signer with one by the AWS SDK's, before anything is opened: URLs of a wrong signature would fail each upload.
 * @throws ConfigError
 */
export async function checkSigner(config: Config): Promise<void> {
  const fault = await findSignerFault({ ...withSecrets(config), at: Date.now() });
  if (fault === undefined) return;
  throw new ConfigError([
    `PARTWAY_S3_PUBLIC_ENDPOINT, PARTWAY_S3_ENDPOINT, PARTWAY_S3_REGION or PARTWAY_S3_BUCKET: ${fault}. Check these settings. If they are right, this is a bug of partway: please report it with them, but without keys.`,
  ]);
}

/** The settings of the store with its keys in plain text, for the adapter that signs with them. */
function withSecrets({ s3 }: Config) {
  return { ...s3, accessKeyId: s3.accessKeyId.reveal(), secretAccessKey: s3.secretAccessKey.reveal() };
}
