import { PROBLEMS } from '../../contract/problems.ts';
import type * as wire from '../../contract/wire.ts';
import { ObjectStoreError } from '../../object-store/port.ts';
import { describeRefusedCertificate, serverAdviceAbout } from '../../outbound/certificate-refusal.ts';
import { isUploadError, type ServiceErrorCode } from '../../session/errors.ts';
import { SessionStoreUnavailable } from '../../session-store/port/session-store.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { logOfRequest } from '../core/request-log.ts';
import { createKeptAnswer } from '../core/single-flight.ts';
import { DATABASE_TROUBLES, STORE_CODES } from '../core/store-codes.ts';
import type { ForgeryGuard } from './forgery-guard.ts';
import { type CheckName, describeFailedCheck } from './not-ready.ts';

/** Anybody may ask, as often as he likes: the dependencies are not asked more often than that. */
const KEPT_MS = 1_000;

type Checks = wire.Readiness['checks'];

/** Whether everything is there that an upload needs, each under its name. All who ask meanwhile share the answer of a second. */
export function createReadiness(
  { sessions, objects, now, log }: Pick<ServiceDeps, 'sessions' | 'objects' | 'now' | 'log'>,
  forgery: ForgeryGuard,
) {
  const answers = createKeptAnswer<wire.Readiness>(KEPT_MS, now);
  /** The latest log line of each check that fails. */
  const told = new Map<CheckName, string>();

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

  /** Anybody may ask, so the answer is in words of ours; the log has those of the dependency. */
  async function check(name: CheckName, requestId: string, probe: () => Promise<void>): Promise<Checks[string]> {
    try {
      await probe();
      if (told.delete(name)) logOfRequest(log, requestId).info({ check: name }, 'a check that failed is passed again');
      return { ok: true };
    } catch (error) {
      const { code, detail } = explain(error);
      tellFailure(name, requestId, code, error);
      return { ok: false, code, detail };
    }
  }

  /** Once for each reason: health checks ask every second. */
  function tellFailure(name: CheckName, requestId: string, code: ServiceErrorCode, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const text = describeFailedCheck({ name, code, reason, bucket: objects.bucket, certificateError: certificateErrorOf(error) });
    if (told.get(name) === text) return;
    told.set(name, text);
    // The cause says more than the message of a database, and the stack more than that of a failure that nothing foresaw.
    const isExplained = name !== 'database' && code !== 'INTERNAL';
    logOfRequest(log, requestId).warn({ check: name, code, ...(isExplained ? {} : { err: error }) }, text);
  }

  /** @param requestId Stands in the lines that the log gets on behalf of this request. */
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

/** While the server stops: nothing is asked, as the answer is no in any case. */
export const STOPPING: wire.Readiness = {
  ready: false,
  checks: { server: { ok: false, code: 'STOPPING', detail: PROBLEMS.STOPPING.title } },
};
