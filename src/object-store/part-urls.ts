import { tryForgery } from '../forgery/try-forgery.ts';
import type { Instant } from '../session/session.ts';
import { type ObjectStore, ObjectStoreError, type SigningReport } from './port.ts';
import { createPartPresigner } from './presigner.ts';
import type { S3Account } from './s3-clients.ts';
import { toObjectStoreError } from './s3-errors.ts';
import { createSigning, type SigningLog, type SigningOptions } from './signing-credentials.ts';
import { tryRights } from './signing-rights.ts';
import { createAssumeRole } from './sts-credentials.ts';

export interface PartUrlsOptions extends S3Account {
  readonly publicEndpoint: string;
  readonly bucket: string;
  readonly keyPrefix: string;
  readonly signing: SigningOptions;
  readonly log: SigningLog;
  readonly now: () => Instant;
  /** The store's clock minus ours, in milliseconds. */
  readonly clockOffset: () => number;
  /** Throws unless the store lets the account in. */
  readonly checkAccount: () => Promise<void>;
}

/** Trying a key pair costs requests that the store refuses, and readiness is asked for every second. */
const TRY_KEY_EVERY_MS = 60_000;

/** Part URLs, and the credentials that they are signed with. */
export function createPartUrls(
  options: PartUrlsOptions,
): Pick<ObjectStore, 'presignPart' | 'checkSigning' | 'signing' | 'tryForgery'> & { close(): void } {
  const { accessKeyId, secretAccessKey, checkAccount, now, log } = options;
  const sessions = createAssumeRole(options, options, now);
  const signing = createSigning(options.signing, {
    account: { accessKeyId, secretAccessKey },
    assumeRole: sessions.assumeRole,
    checkAccount,
    now,
    log,
  });
  let keyTriedAt = Number.NEGATIVE_INFINITY;
  return {
    presignPart: createPartPresigner({ ...options, credentials: signing.current }),
    close: sessions.close,
    async checkSigning() {
      const credentials = await signing.current();
      // Sessions come from the store itself, and the server's own key is tried with the bucket.
      if (credentials.kind !== 'key' || Math.abs(now() - keyTriedAt) < TRY_KEY_EVERY_MS) return;
      await tryRights(credentials, options);
      keyTriedAt = now();
    },
    async signing(): Promise<SigningReport> {
      const credentials = await signing.current();
      try {
        const rights = await tryRights(credentials, options);
        return { credentials: credentials.kind, expiresAt: credentials.expiresAt, ...rights };
      } catch (error) {
        if (error instanceof ObjectStoreError && error.failure === 'refused') signing.forget(credentials);
        throw error;
      }
    },
    async tryForgery() {
      const { accessKeyId, sessionToken } = await signing.current();
      const at = new Date(now() + options.clockOffset());
      const { endpoint, region, bucket, keyPrefix } = options;
      const target = {
        endpoint,
        region,
        bucket,
        keyPrefix,
        accessKeyId,
        at,
        ...(sessionToken !== undefined && { sessionToken }),
      };
      try {
        return await tryForgery(target, options.makeAgent);
      } catch (error) {
        throw toObjectStoreError(error);
      }
    },
  };
}
