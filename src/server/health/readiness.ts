import { PROBLEMS } from '../../contract/problems.ts';
import type * as wire from '../../contract/wire.ts';
import { ObjectStoreError } from '../../object-store/port.ts';
import { describeRefusedCertificate, serverAdviceAbout } from '../../outbound/certificate-refusal.ts';
import { isUploadError, type ServiceErrorCode } from '../../session/errors.ts';
import type { DatabaseConnection } from '../../session-store/port/session-store.ts';
import { SessionStoreUnavailable } from '../../session-store/port/unavailable.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { logOfRequest } from '../core/request-log.ts';
import { createKeptAnswer } from '../core/single-flight.ts';
import { DATABASE_TROUBLES, STORE_CODES } from '../core/store-codes.ts';
import type { ForgeryGuard } from './forgery-guard.ts';
import { type CheckName, describeFailedCheck } from './not-ready.ts';

/** How long an answer is kept: anyone may ask, as often as they like, but the dependencies are not checked more often than this. */
const KEPT_MS = 1_000;

type Checks = wire.Readiness['checks'];

/** Checks everything that an upload needs, each check under its name. All requests within a second share an answer. */
export function createReadiness(
  {
    sessions,
    objects,
    now,
    log,
  }: Pick<ServiceDeps, 'objects' | 'now' | 'log'> & { readonly sessions: Pick<DatabaseConnection, 'ping'> },
  forgery: ForgeryGuard,
) {
  const answers = createKeptAnswer<wire.Readiness>(KEPT_MS, now);
  /** The latest log line of each failing check. */
  const logged = new Map<CheckName, string>();

  async function ask(requestId: string): Promise<wire.Readiness> {
    const [database, bucket, signing, forgedWrites] = await Promise.all([
      check('database', requestId, () => sessions.ping()),
      check('bucket', requestId, () => objects.checkBucket()),
      check('signing', requestId, () => objects.checkSigning()),
      check('forgedWrites', requestId, () => forgery.check()),
    ]);
    const checks = { database, bucket, signing, forgedWrites };
    return { ready: Object.values(checks).every(({ ok }) => ok), checks };
  }

  /** Runs one check. Anyone may read the answer, so it has only the server's own words; the log has those of the dependency. */
  async function check(name: CheckName, requestId: string, probe: () => Promise<void>): Promise<Checks[string]> {
    try {
      await probe();
      if (logged.delete(name)) logOfRequest(log, requestId).info({ check: name }, 'a check that failed is passed again');
      return { ok: true };
    } catch (error) {
      const { code, detail } = explain(error);
      logFailure(name, requestId, code, error);
      return { ok: false, code, detail };
    }
  }

  /** Logs each reason once, because health checks ask every second. */
  function logFailure(name: CheckName, requestId: string, code: ServiceErrorCode, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const text = describeFailedCheck({ name, code, reason, bucket: objects.bucket, certificateError: certificateErrorOf(error) });
    if (logged.get(name) === text) return;
    logged.set(name, text);
    // For a database the cause says more than the message, and for an unexpected failure the stack does.
    const isExplained = name !== 'database' && code !== 'INTERNAL';
    logOfRequest(log, requestId).warn({ check: name, code, ...(isExplained ? {} : { err: error }) }, text);
  }

  /** @param requestId Id for the log lines of this request. */
  return (requestId: string): Promise<wire.Readiness> => answers.get(() => ask(requestId));
}

function explain(error: unknown): { code: ServiceErrorCode; detail: string } {
  if (error instanceof SessionStoreUnavailable) return { code: 'STORE_UNAVAILABLE', detail: DATABASE_TROUBLES[error.reason] };
  const certificateError = certificateErrorOf(error);
  if (certificateError !== undefined) return { code: 'STORE_UNAVAILABLE', detail: describeUntrusted(certificateError) };
  const code = codeOf(error);
  return { code, detail: PROBLEMS[code].title };
}

function certificateErrorOf(error: unknown): string | undefined {
  return error instanceof ObjectStoreError ? error.certificateError : undefined;
}

function describeUntrusted(code: string): string {
  return `The server does not trust the certificate of the object store: ${describeRefusedCertificate(code)} (${code}). ${serverAdviceAbout(code)}.`;
}

function codeOf(error: unknown): ServiceErrorCode {
  if (error instanceof ObjectStoreError) return STORE_CODES[error.failure];
  return isUploadError(error, 'STORE_OPEN_TO_FORGERY') ? 'STORE_OPEN_TO_FORGERY' : 'INTERNAL';
}

/** The answer while the server stops, without any check. */
export const STOPPING: wire.Readiness = {
  ready: false,
  checks: { server: { ok: false, code: 'STOPPING', detail: PROBLEMS.STOPPING.title } },
};
