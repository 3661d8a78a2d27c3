import { tryForgery } from '../forgery/try-forgery.ts';
import { createPartSigner, type PartSignerOptions } from './part-signer.ts';
import { type ObjectStore, ObjectStoreError, type SigningReport } from './port.ts';
import type { S3Account } from './s3-clients.ts';
import { toObjectStoreError } from './s3-errors.ts';
import { createSigning, type SigningLog, type SigningOptions } from './signing-credentials.ts';
import { tryRights } from './signing-rights.ts';
import { createAssumeRole } from './sts-credentials.ts';

export interface PresignerOptions extends S3Account, PartSignerOptions {
  readonly keyPrefix: string;
  readonly signing: SigningOptions;
  readonly log: SigningLog;
  /** Throws unless the object store accepts the account. */
  readonly checkAccount: () => Promise<void>;
}

/** Least time between two trials of a key pair: they cost requests that the object store refuses, and readiness is checked every second. */
const TRY_KEY_EVERY_MS = 60_000;

/** Makes the part of an object store that signs part URLs, with the credentials for that. */
export function createPresigner(
  options: PresignerOptions,
): Pick<ObjectStore, 'presignPart' | 'checkSigning' | 'signing' | 'tryForgery'> & { close(): void } {
  const { accessKeyId, secretAccessKey, checkAccount, now, log } = options;
  const signPart = createPartSigner(options);
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
    presignPart: async (part) => signPart(part, await signing.current()),
    close: sessions.close,
    async checkSigning() {
      const credentials = await signing.current();
      // Only a key pair has to be tried: sessions come from the object store itself, and the bucket check tries the server's own key.
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
      const token = sessionToken !== undefined && { sessionToken };
      try {
        return await tryForgery({ endpoint, region, bucket, keyPrefix, accessKeyId, at, ...token }, options.makeAgent);
      } catch (error) {
        throw toObjectStoreError(error);
      }
    },
  };
}
