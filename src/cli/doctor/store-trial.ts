import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ControlPlane } from '../../client/control-plane.ts';
import type * as wire from '../../contract/wire.ts';
import { encodeCrc32 } from '../../session/crc32.ts';
import type { CliContext } from '../context.ts';
import { explainError } from '../failures/error-text.ts';
import { clockOffset, judgeClock } from './clock.ts';
import { type Finding, fail, info, ok, warn } from './finding.ts';
import { tryForgeries } from './forgery.ts';
import { exchange } from './http-exchange.ts';
import { judgeStoreAnswer } from './store-answer.ts';

const BYTES = new TextEncoder().encode('hello');
/** Any page's origin will do: what matters is whether the store answers pages at all. */
const SAMPLE_ORIGIN = 'https://partway-doctor.example';

/** A real upload of five bytes up to, not including, complete; and it is always aborted. */
export async function tryStore(controlPlane: ControlPlane, keyPrefix: string, context: CliContext): Promise<Finding[]> {
  let session: wire.Session;
  try {
    ({ session } = await controlPlane.create({
      fileName: 'partway-doctor',
      size: BYTES.length,
      key: `${keyPrefix}partway-doctor/${randomUUID()}`,
    }));
  } catch (error) {
    return [failedStep('create a session', error, context)];
  }
  const findings = [ok('create a session', `made in bucket ${session.bucket}`), judgeExpiry(session)];
  try {
    const checksum = encodeCrc32(crc32(BYTES));
    const { parts } = await controlPlane.presign(session.sessionId, { partNumbers: [1], checksums: { 1: checksum } });
    const [part] = parts;
    if (part !== undefined) {
      findings.push(...(await tryPart(part, context)), await tryPreflight(part));
      findings.push(...(await tryForgeries(part, session.bucket, keyPrefix)));
    }
  } catch (error) {
    findings.push(failedStep('presign a part', error, context));
  } finally {
    findings.push(await abortTrial(controlPlane, session, context));
  }
  return findings;
}

async function tryPart({ url, headers }: wire.PresignedPart, context: CliContext): Promise<Finding[]> {
  const { host } = new URL(url);
  try {
    const answer = await exchange(url, { method: 'PUT', headers, body: BYTES });
    const { date } = answer.headers;
    const offset = clockOffset(typeof date === 'string' ? date : undefined, context.now());
    return [judgeStoreAnswer(answer, host, offset), ...judgeClock('the store', offset)];
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    const advice =
      'Clients send the bytes straight to this address, so it must be reachable from here: check PARTWAY_S3_PUBLIC_ENDPOINT, DNS and firewalls.';
    return [fail('store takes a part', `${host} cannot be reached from this machine: ${reason}`, advice)];
  }
}

/** Only pages in browsers need it. */
async function tryPreflight({ url, headers }: wire.PresignedPart): Promise<Finding> {
  const check = 'CORS (for browsers)';
  const advice =
    'Only needed for uploads from web pages. At MinIO: MINIO_API_CORS_ALLOW_ORIGIN; elsewhere a CORS rule with PUT and ExposeHeaders ETag.';
  try {
    const requested = {
      origin: SAMPLE_ORIGIN,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': Object.keys(headers).join(','),
    };
    const answer = await exchange(url, { method: 'OPTIONS', headers: requested });
    const allowed = answer.headers['access-control-allow-origin'];
    if (allowed === SAMPLE_ORIGIN || allowed === '*') return ok(check, 'pages of any origin may upload');
    return info(check, 'pages of unknown origins may not upload', advice);
  } catch (error) {
    return info(check, `not answered: ${(error as Error).message}`, advice);
  }
}

/** The store counts from the initiation, and its answer is not known over S3: the server tells what it was told. */
function judgeExpiry({ partsKeptUntil, expiresAt }: wire.Session): Finding {
  const check = 'unfinished uploads are kept';
  if (partsKeptUntil === null || expiresAt === null || Date.parse(partsKeptUntil) >= Date.parse(expiresAt)) {
    return ok(check, 'by the store at least as long as by the server');
  }
  return warn(
    check,
    `the store may delete parts on ${partsKeptUntil}, before the session expires on ${expiresAt}`,
    'At MinIO set MINIO_API_STALE_UPLOADS_EXPIRY=720h, and at the server PARTWAY_S3_STALE_UPLOADS_EXPIRY=720h.',
  );
}

async function abortTrial(controlPlane: ControlPlane, { sessionId }: wire.Session, context: CliContext): Promise<Finding> {
  try {
    await controlPlane.abort(sessionId);
    return ok('abort', 'the trial upload is gone again');
  } catch (error) {
    const { detail, advice } = failedStep('abort', error, context);
    return fail('abort', detail, `${advice ?? ''} Then: partway abort ${sessionId}`.trim());
  }
}

function failedStep(check: string, error: unknown, context: CliContext): Finding {
  const { message, hint } = explainError(error, {}, context);
  return fail(check, message, hint);
}
