import { randomUUID } from 'node:crypto';
import type { ControlPlane } from '../../client/control-plane/control-plane.ts';
import { LinkFailure } from '../../client/network/link-failure.ts';
import { explainForeignAnswer, explainPlainHttp } from '../../client/network/tls-probe.ts';
import { isRefusedOnTheWay } from '../../client/part/part-answer.ts';
import { askToSend } from '../../client/part/part-questions.ts';
import type * as wire from '../../contract/wire.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { describeWay, type ProxySettings } from '../../outbound/proxy-settings.ts';
import { readS3Error } from '../../outbound/s3-error.ts';
import { isUploadError, type UploadError } from '../../session/errors.ts';
import { DEFAULT_PART_SIZE, S3_LIMITS } from '../../session/part-plan.ts';
import { explainError } from '../errors/error-text.ts';
import type { CliContext } from '../terminal/context.ts';
import { clockOffset, judgeClock } from './clock.ts';
import { type Finding, fail, info, ok, warn } from './finding.ts';
import { tryForgeries } from './forgery.ts';
import { exchange } from './http-exchange.ts';
import { checkOrigins, type PageOrigins } from './origins.ts';
import {
  isTooLarge,
  judgeBrokenTrial,
  judgeListing,
  judgePartAnswer,
  judgeSmallerPart,
  judgeStoreAnswer,
} from './store-answer.ts';
import { createTrialPart, type TrialPart } from './trial-part.ts';

const SMALLEST_PART = S3_LIMITS.minPartSize;

export interface TrialOptions {
  readonly keyPrefix: string;
  readonly origins: PageOrigins;
  readonly proxies: ProxySettings;
  /** Bytes; undefined for the default part size. */
  readonly size: number | undefined;
}

/**
 * Uploads one real part without completing, and always aborts. If something on the way does not let the part through, tries a smaller
 * one as well.
 */
export async function tryStore(controlPlane: ControlPlane, options: TrialOptions, context: CliContext): Promise<Finding[]> {
  const { findings, doesNotFit } = await tryUpload(controlPlane, options, context);
  if (!doesNotFit || (options.size ?? DEFAULT_PART_SIZE) <= SMALLEST_PART) return findings;
  const smaller = await tryUpload(controlPlane, { ...options, size: SMALLEST_PART }, context);
  return [...findings, judgeSmallerPart(smaller.findings, SMALLEST_PART)];
}

interface Trial {
  readonly findings: Finding[];
  /** Something between here and the store did not let the part through. */
  readonly doesNotFit: boolean;
}

async function tryUpload(
  controlPlane: ControlPlane,
  { keyPrefix, origins, proxies, size }: TrialOptions,
  context: CliContext,
): Promise<Trial> {
  const { makeAgent } = controlPlane;
  let session: wire.Session;
  try {
    session = await createTrial(controlPlane, `${keyPrefix}partway-doctor/${randomUUID()}`, size);
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
      const noWay = proxies.faultFor(part.url);
      if (noWay !== undefined) {
        findings.push(fail('the way to the store', noWay.message, noWay.hint));
        return { findings, doesNotFit };
      }
      const way = describeWay(proxies, part.url);
      if (way !== undefined) findings.push(info('the way to the store', way));
      const sent = await tryPart(part, trial, makeAgent, context);
      findings.push(...sent.findings);
      doesNotFit = sent.doesNotFit;
      if (sent.isStored) findings.push(await tryListing(controlPlane, session, trial, context));
      findings.push(
        ...(await checkOrigins(part, origins, makeAgent)),
        ...(await tryForgeries(part, session.bucket, keyPrefix, makeAgent)),
      );
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

/** Creates the trial's session. If the token allows less than the default part size, the trial is as large as the token allows. */
async function createTrial(controlPlane: ControlPlane, key: string, askedSize: number | undefined): Promise<wire.Session> {
  const size = askedSize ?? DEFAULT_PART_SIZE;
  try {
    return (await controlPlane.create({ fileName: 'partway-doctor', size, key, strategy: 'single' })).session;
  } catch (error) {
    const allowed = isUploadError(error, 'OBJECT_TOO_LARGE', 'QUOTA_EXCEEDED') ? allowedBytes(error.facts) : 0;
    if (askedSize !== undefined || !(allowed > 0 && allowed < size)) throw error;
    return createTrial(controlPlane, key, allowed);
  }
}

function allowedBytes({ maxObjectSize, quotaBytes, reservedBytes, settledBytes }: UploadError['facts']): number {
  return maxObjectSize === undefined ? Number(quotaBytes) - Number(reservedBytes) - Number(settledBytes) : Number(maxObjectSize);
}

async function tryPart(
  part: wire.PresignedPart,
  trial: TrialPart,
  makeAgent: MakeAgent,
  context: CliContext,
): Promise<Trial & { readonly isStored: boolean }> {
  const { url, headers } = part;
  const { host } = new URL(url);
  const startedAt = performance.now();
  let sentBytes = 0;
  const onSent = (bytes: number) => {
    sentBytes += bytes;
  };
  const broken = (failure: LinkFailure) => ({
    findings: [judgeBrokenTrial({ host, failure, sentBytes, size: trial.size, ms: performance.now() - startedAt })],
    doesNotFit: failure.trouble !== 'only-tls' && sentBytes > 0,
    isStored: false,
  });
  try {
    const answer = await exchange(url, { makeAgent, method: 'PUT', headers, body: trial, onSent });
    const onlyTls =
      readS3Error(answer.text).code === undefined ? await explainForeignAnswer(answer.status, url, makeAgent) : undefined;
    if (onlyTls !== undefined) return broken(onlyTls);
    const { date } = answer.headers;
    const offset = clockOffset(typeof date === 'string' ? date : undefined, context.now());
    const finding = judgeStoreAnswer(answer, host, offset, trial.size);
    const findings = [finding, ...judgeClock('the store', offset)];
    return { findings, doesNotFit: isTooLarge(answer), isStored: finding.outcome === 'ok' };
  } catch (error) {
    if (!(error instanceof LinkFailure)) throw error;
    // A refusal is often lost when the connection closes during the body, so ask again before sending anything.
    const refusal = sentBytes > 0 ? await askToSend(part, new AbortController().signal, makeAgent) : undefined;
    if (refusal !== undefined) {
      const doesNotFit = refusal.status === 413 && isRefusedOnTheWay(refusal);
      return { findings: [judgePartAnswer(refusal, host, undefined, trial.size)], doesNotFit, isStored: false };
    }
    return broken(await explainPlainHttp(error, url, makeAgent));
  }
}

/** Judges what the server reports from its settings: S3 does not tell when the store expires an upload, which counts from its start. */
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
