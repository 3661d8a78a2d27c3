import type { Instant } from '../session/session.ts';
import { ObjectStoreError, type SigningReport } from './port.ts';

/** Least time left: a URL that ends sooner would often be useless when its part is sent, so the caller waits for new credentials. */
const LEAST_LEFT_MS = 60_000;
/** Wait after a failed renewal in the background, while the current session is still good. */
const RENEW_AGAIN_AFTER_MS = 10_000;
/** How often to ask for sessions while the account itself signs: an upgrade may bring them, and the refusal may have been temporary. */
const LOOK_FOR_SESSIONS_MS = 10 * 60_000;
/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html; MinIO accepts up to seven days (measured). */
const SHORTEST_SESSION_SECONDS = 900;
const LONGEST_SESSION_SECONDS = 604_800;

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Credentials that sign part URLs. */
export interface SigningCredentials extends KeyPair {
  readonly kind: SigningReport['credentials'];
  readonly sessionToken?: string;
  /** By our clock; null for keys, which do not expire. */
  readonly expiresAt: Instant | null;
}

/** A temporary session from the object store. */
export interface SigningSession extends SigningCredentials {
  readonly kind: 'sts';
  readonly sessionToken: string;
  readonly expiresAt: Instant;
}

export type SigningOptions =
  /** The account itself signs, so a URL's signature has all rights of the account. */
  | { readonly kind: 'shared' }
  /** A separate key pair signs; it should have the right s3:PutObject and no other. */
  | ({ readonly kind: 'key' } & KeyPair)
  /** Sessions that can only put. `auto` signs with the account itself if the object store has no sessions. `urlTtlSeconds` is the longest life of URLs. */
  | { readonly kind: 'sts' | 'auto'; readonly urlTtlSeconds: number };

export interface Signing {
  /** @throws ObjectStoreError if there is no usable session and none can be obtained. */
  current(): Promise<SigningCredentials>;
  /** Drops credentials that the object store no longer knows: the next caller gets others. */
  forget(credentials: SigningCredentials): void;
}

export interface SigningDeps {
  readonly account: KeyPair;
  /** Obtains a new session from the object store for `seconds`. @throws ObjectStoreError */
  readonly assumeRole: (seconds: number) => Promise<SigningSession>;
  /** Throws unless the object store accepts the account. */
  readonly checkAccount: () => Promise<void>;
  readonly now: () => Instant;
  readonly log: SigningLog;
}

/** The part of pino that signing uses. */
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

/** Twice the life of a URL, because sessions are renewed at half of their life. So URLs get their whole life, unless that is half a week or more. */
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
      // Warns once, not for each later attempt in vain.
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

  /**
   * A definite refusal from an object store that accepts the account otherwise. Without that check a wrong key would look the same: MinIO
   * answers AccessDenied to both (measured).
   */
  async function isStoreWithoutSessions(error: unknown): Promise<boolean> {
    if (options.kind === 'sts' || hasHadSessions) return false;
    if (!(error instanceof ObjectStoreError) || error.failure !== 'refused') return false;
    await checkAccount();
    return true;
  }

  /** The caller does not wait: the current session is still good, and stays in use if this fails. */
  function renewInBackground(at: Instant): void {
    if (renewing !== undefined || at < renewAgainAt) return;
    renewAgainAt = at + RENEW_AGAIN_AFTER_MS;
    renew().catch((error: unknown) =>
      log.warn({ err: error }, 'the signing session could not be renewed; the current one stays in use'),
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
