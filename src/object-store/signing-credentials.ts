import type { Instant } from '../session/session.ts';
import { ObjectStoreError, type SigningReport } from './port.ts';

/** A URL that ends sooner than this would often be of no use when its part is sent; new credentials are waited for instead. */
const LEAST_LEFT_MS = 60_000;
/** After a renewal in the background failed, and while the present session is good. */
const RENEW_AGAIN_AFTER_MS = 10_000;
/** Signing with the account itself: a store that had no sessions may have them after an upgrade, and a refusal may have been a passing one. */
const LOOK_FOR_SESSIONS_MS = 10 * 60_000;
/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html; MinIO takes up to seven days (measured). */
const SHORTEST_SESSION_SECONDS = 900;
const LONGEST_SESSION_SECONDS = 604_800;

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What part URLs are signed with. */
export interface SigningCredentials extends KeyPair {
  readonly kind: SigningReport['credentials'];
  readonly sessionToken?: string;
  /** By our clock; null for keys that do not end. */
  readonly expiresAt: Instant | null;
}

/** A session that the store gave us. */
export interface SigningSession extends SigningCredentials {
  readonly kind: 'sts';
  readonly sessionToken: string;
  readonly expiresAt: Instant;
}

export type SigningOptions =
  /** The account itself: its URLs are good for whatever else the account may do. */
  | { readonly kind: 'shared' }
  /** A key pair of its own, which should have the right s3:PutObject and no other. */
  | ({ readonly kind: 'key' } & KeyPair)
  /** Sessions that can only put. `auto` signs with the account itself where the store has none. `urlTtlSeconds`: the longest life that URLs are to have. */
  | { readonly kind: 'sts' | 'auto'; readonly urlTtlSeconds: number };

export interface Signing {
  /** @throws ObjectStoreError where there is no good session and none can be had. */
  current(): Promise<SigningCredentials>;
  /** The store does not know these any more: the next caller gets others. */
  forget(credentials: SigningCredentials): void;
}

export interface SigningDeps {
  readonly account: KeyPair;
  /** A new session at the store, for so many seconds. @throws ObjectStoreError */
  readonly assumeRole: (seconds: number) => Promise<SigningSession>;
  /** Throws unless the store lets the account in. */
  readonly checkAccount: () => Promise<void>;
  readonly now: () => Instant;
  readonly log: SigningLog;
}

/** The part of pino that is used here. */
export interface SigningLog {
  warn(fields: object, message: string): void;
}

export function createSigning(options: SigningOptions, deps: SigningDeps): Signing {
  if (options.kind === 'sts' || options.kind === 'auto') return createSessions(options, deps);
  const { accessKeyId, secretAccessKey } = options.kind === 'key' ? options : deps.account;
  return fixed({ kind: options.kind, accessKeyId, secretAccessKey, expiresAt: null });
}

function fixed(credentials: SigningCredentials): Signing {
  return { current: async () => credentials, forget: () => {} };
}

/** Twice the life of a URL, since it is renewed at half of its own: so URLs get their whole life but where that is half a week and more. */
export function sessionSeconds(urlTtlSeconds: number): number {
  return Math.min(Math.max(2 * urlTtlSeconds, SHORTEST_SESSION_SECONDS), LONGEST_SESSION_SECONDS);
}

function createSessions(options: { kind: 'sts' | 'auto'; urlTtlSeconds: number }, deps: SigningDeps): Signing {
  const { account, assumeRole, checkAccount, now, log } = deps;
  const seconds = sessionSeconds(options.urlTtlSeconds);
  let hasHadSessions = false;
  let present: SigningCredentials | undefined;
  let renewing: Promise<SigningCredentials> | undefined;
  let renewAgainAt = 0;

  function renew(): Promise<SigningCredentials> {
    renewing ??= obtain().finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  async function obtain(): Promise<SigningCredentials> {
    try {
      present = await assumeRole(seconds);
      hasHadSessions = true;
    } catch (error) {
      if (!(await isStoreWithoutSessions(error))) throw error;
      // Said once: it stays so as long as it is looked for again and again in vain.
      if (present === undefined) {
        log.warn(
          { reason: (error as ObjectStoreError).message },
          "part URLs are signed with the server's own key, which can do more than put: the object store gives no STS sessions",
        );
      }
      renewAgainAt = now() + LOOK_FOR_SESSIONS_MS;
      present = { kind: 'shared', ...account, expiresAt: null };
    }
    return present;
  }

  /** A definite no, of a store that takes the account otherwise: a wrong key is no reason to sign with it, and MinIO says AccessDenied for all (measured). */
  async function isStoreWithoutSessions(error: unknown): Promise<boolean> {
    if (options.kind === 'sts' || hasHadSessions) return false;
    if (!(error instanceof ObjectStoreError) || error.failure !== 'refused') return false;
    await checkAccount();
    return true;
  }

  /** Not waited for: the present session is good, and stays in use if this fails. */
  function renewInBackground(at: Instant): void {
    if (renewing !== undefined || at < renewAgainAt) return;
    renewAgainAt = at + RENEW_AGAIN_AFTER_MS;
    renew().catch((error: unknown) =>
      log.warn({ err: error }, 'the signing session could not be renewed; the present one is kept'),
    );
  }

  return {
    async current() {
      if (present === undefined) return renew();
      const { expiresAt } = present;
      const at = now();
      if (expiresAt === null) {
        renewInBackground(at);
        return present;
      }
      if (expiresAt - at < LEAST_LEFT_MS) return renew();
      if (expiresAt - at < (seconds * 1000) / 2) renewInBackground(at);
      return present;
    },
    forget(credentials) {
      if (present === credentials) present = undefined;
    },
  };
}
