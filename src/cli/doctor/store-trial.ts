import { randomUUID } from 'node:crypto';
import type { ControlPlane } from '../../client/control-plane.ts';
import { isRefusedOnTheWay } from '../../client/part/part-answer.ts';
import { askToSend } from '../../client/part/part-questions.ts';
import type * as wire from '../../contract/wire.ts';
import { isUploadError, type UploadError } from '../../session/errors.ts';
import { DEFAULT_PART_SIZE, S3_LIMITS } from '../../session/part-plan.ts';
import type { CliContext } from '../context.ts';
import { explainError } from '../failures/error-text.ts';
import { clockOffset, judgeClock } from './clock.ts';
import { type Finding, fail, info, ok, warn } from './finding.ts';
import { tryForgeries } from './forgery.ts';
import { exchange } from './http-exchange.ts';
import {
  isTooLarge,
  judgeBrokenTrial,
  judgeListing,
  judgePartAnswer,
  judgeSmallerPart,
  judgeStoreAnswer,
} from './store-answer.ts';
import { createTrialPart, type TrialPart } from './trial-part.ts';

/** Any page's origin will do: what matters is whether the store answers pages at all. */
const SAMPLE_ORIGIN = 'https://partway-doctor.example';
const SMALLEST_PART = S3_LIMITS.minPartSize;

/**
 * A real upload of one part up to, not including, complete; and it is always aborted. Where something on the way does not let the
 * part through, a smaller one is tried as well.
 * @param askedSize Bytes; as large as parts are by default unless given.
 */
export async function tryStore(
  controlPlane: ControlPlane,
  keyPrefix: string,
  context: CliContext,
  askedSize?: number,
): Promise<Finding[]> {
  const { findings, doesNotFit } = await tryUpload(controlPlane, keyPrefix, context, askedSize ?? DEFAULT_PART_SIZE, {
    mayBeSmaller: askedSize === undefined,
  });
  if (!doesNotFit || (askedSize ?? DEFAULT_PART_SIZE) <= SMALLEST_PART) return findings;
  const smaller = await tryUpload(controlPlane, keyPrefix, context, SMALLEST_PART, { mayBeSmaller: false });
  return [...findings, judgeSmallerPart(smaller.findings, SMALLEST_PART)];
}

interface Trial {
  readonly findings: Finding[];
  /** The part did not get through for something between here and the store. */
  readonly doesNotFit: boolean;
}

async function tryUpload(
  controlPlane: ControlPlane,
  keyPrefix: string,
  context: CliContext,
  wantedSize: number,
  { mayBeSmaller }: { readonly mayBeSmaller: boolean },
): Promise<Trial> {
  let session: wire.Session;
  try {
    session = await createTrial(controlPlane, `${keyPrefix}partway-doctor/${randomUUID()}`, wantedSize, mayBeSmaller);
  } catch (error) {
    return { findings: [failedStep('create a session', error, context)], doesNotFit: false };
  }
  const findings = [ok('create a session', `made in bucket ${session.bucket}`), judgeExpiry(session)];
  let doesNotFit = false;
  try {
    const trial = createTrialPart(session.size);
    const checksums = { 1: trial.checksum };
    const { parts } = await controlPlane.presign(session.sessionId, { partNumbers: [1], checksums });
    const [part] = parts;
    if (part !== undefined) {
      const sent = await tryPart(part, trial, context);
      findings.push(...sent.findings);
      doesNotFit = sent.doesNotFit;
      if (sent.isStored) findings.push(await tryListing(controlPlane, session, trial, context));
      findings.push(await tryPreflight(part), ...(await tryForgeries(part, session.bucket, keyPrefix)));
    }
  } catch (error) {
    findings.push(failedStep('presign a part', error, context));
  } finally {
    findings.push(await abortTrial(controlPlane, session, context));
  }
  return { findings, doesNotFit };
}

async function tryListing(
  controlPlane: ControlPlane,
  { sessionId }: wire.Session,
  { checksum }: TrialPart,
  context: CliContext,
): Promise<Finding> {
  try {
    return judgeListing(await controlPlane.parts(sessionId), checksum);
  } catch (error) {
    return failedStep('list the parts', error, context);
  }
}

/** A token may allow less than a part of the default size: then the trial is as large as it may be. */
async function createTrial(controlPlane: ControlPlane, key: string, size: number, mayBeSmaller: boolean): Promise<wire.Session> {
  try {
    return (await controlPlane.create({ fileName: 'partway-doctor', size, key, strategy: 'single' })).session;
  } catch (error) {
    const allowed = isUploadError(error, 'OBJECT_TOO_LARGE', 'QUOTA_EXCEEDED') ? allowedBytes(error.facts) : 0;
    if (!mayBeSmaller || !(allowed > 0 && allowed < size)) throw error;
    return createTrial(controlPlane, key, allowed, false);
  }
}

function allowedBytes({ maxObjectSize, quotaBytes, reservedBytes, settledBytes }: UploadError['facts']): number {
  return maxObjectSize === undefined ? Number(quotaBytes) - Number(reservedBytes) - Number(settledBytes) : Number(maxObjectSize);
}

async function tryPart(
  part: wire.PresignedPart,
  trial: TrialPart,
  context: CliContext,
): Promise<Trial & { readonly isStored: boolean }> {
  const { url, headers } = part;
  const { host } = new URL(url);
  const startedAt = context.now();
  let sentBytes = 0;
  const onSent = (bytes: number) => {
    sentBytes += bytes;
  };
  try {
    const answer = await exchange(url, { method: 'PUT', headers, body: trial, onSent });
    const { date } = answer.headers;
    const offset = clockOffset(typeof date === 'string' ? date : undefined, context.now());
    const finding = judgeStoreAnswer(answer, host, offset, trial.size);
    const findings = [finding, ...judgeClock('the store', offset)];
    return { findings, doesNotFit: isTooLarge(answer), isStored: finding.outcome === 'ok' };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    const ms = context.now() - startedAt;
    // What refuses a body and closes at once is often not heard: ask once more, before anything is sent.
    const refusal = sentBytes > 0 ? await askToSend(part, new AbortController().signal) : undefined;
    if (refusal !== undefined) {
      const doesNotFit = refusal.status === 413 && isRefusedOnTheWay(refusal);
      return { findings: [judgePartAnswer(refusal, host, undefined, trial.size)], doesNotFit, isStored: false };
    }
    const attempt = { host, reason, sentBytes, size: trial.size, ms };
    return { findings: [judgeBrokenTrial(attempt)], doesNotFit: sentBytes > 0, isStored: false };
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
