import type { Session, WireStoredPart } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { type PartPlan, partLength } from '../../session/part-plan.ts';
import type { EngineEvent } from '../progress/events.ts';
import type { ByteSource, SourceIdentity } from './byte-source.ts';
import { isUnchanged, vouches } from './identity.ts';
import { combineChecksums, readChecksums } from './part-checksums.ts';
import { Readings } from './readings.ts';
import { MOST_COMPARISONS } from './rereader.ts';
import { keepsChanging } from './source-changes.ts';
import { partsToRead, type VerifyResume } from './verify-resume.ts';

/** On resume, stored parts are compared for this long before the first byte is sent: a changed file shows almost at once. */
const PROOF_HEAD_START_MS = 400;

/**
 * CRC32 (base64) by part number as the store lists them, of parts that nobody has compared with the source. Never to be mixed
 * up with the source's own: a journal that took them over would vouch for what no one has read.
 */
export type UnverifiedChecksums = ReadonlyMap<number, string>;

/**
 * Proves that parts which the store holds already are parts of this source, by their CRC32: those that the caller vouches
 * for (same file, untouched since it was read) by comparison, the others by reading as many of them as `verifyResume` says.
 * Resolves to what the store claims of the rest.
 * @throws UploadError `SOURCE_CHANGED` at the first part that differs.
 */
export async function proveParts(options: {
  readonly source: ByteSource;
  readonly plan: PartPlan;
  readonly stored: readonly WireStoredPart[];
  readonly verifyResume: VerifyResume;
  /** The readings of this source's parts. Grows by those that are read here. */
  readonly readings: Readings;
  readonly signal: AbortSignal;
  readonly onEvent: (event: EngineEvent) => void;
}): Promise<UnverifiedChecksums> {
  const stored = new Map(options.stored.map((part) => [part.partNumber, part.checksum]));
  const claims = claimsLeftUnread(stored, options.readings.checksums, options.verifyResume);
  await readChecksums({
    ...options,
    partNumbers: [...stored.keys()].filter((partNumber) => !claims.has(partNumber)),
    check: (partNumber, checksum) => {
      if (checksum !== stored.get(partNumber)) throw notThisFile(options.source, partNumber);
    },
  });
  return claims;
}

function claimsLeftUnread(
  stored: ReadonlyMap<number, string | null>,
  checksums: ReadonlyMap<number, string>,
  verifyResume: VerifyResume,
): UnverifiedChecksums {
  const claims = new Map<number, string>();
  for (const [partNumber, checksum] of stored) {
    if (checksum !== null && !checksums.has(partNumber)) claims.set(partNumber, checksum);
  }
  for (const partNumber of partsToRead([...claims.keys()], verifyResume)) claims.delete(partNumber);
  return claims;
}

/**
 * Proves that the object of a completed session has the bytes of this source. Nothing is sent. The object has one checksum, of
 * the whole: a few parts of it cannot be compared, so `sample` reads all, and `none` leaves it unproven where not all parts' CRCs
 * are known. Begins again if the source changes meanwhile. Resolves to the number of bytes that were not compared with the
 * source: none or all.
 * @throws UploadError `SOURCE_CHANGED` if it has others, or if there is no end of changes.
 */
export async function proveObject(options: {
  readonly source: ByteSource;
  /** Its checksum is the store's own, by the server's word. */
  readonly session: Session & { readonly checksum: string };
  readonly verifyResume: VerifyResume;
  /** CRC32 by part number, read when the source was `knownOf`. */
  readonly known: ReadonlyMap<number, string>;
  readonly knownOf: SourceIdentity;
  readonly signal: AbortSignal;
  readonly onEvent: (event: EngineEvent) => void;
}): Promise<number> {
  const { source, session, verifyResume, known, knownOf } = options;
  const plan: PartPlan = { strategy: session.strategy, partSize: session.partSize, partCount: session.partCount };
  const partNumbers = Array.from({ length: plan.partCount }, (_, index) => index + 1);
  for (let comparisons = 0; comparisons < MOST_COMPARISONS; comparisons++) {
    const before = await source.identify();
    const vouchedFor = vouches(knownOf, before) ? known : new Map<number, string>();
    if (verifyResume === 'none' && !partNumbers.every((partNumber) => vouchedFor.has(partNumber))) return session.size;
    const readings = new Readings(vouchedFor);
    await readChecksums({ ...options, plan, partNumbers, readings });
    if (combineChecksums(plan, session.size, readings.checksums) !== session.checksum) throw otherContents(source, session);
    if (isUnchanged(before, await source.identify())) return 0;
  }
  throw keepsChanging(source);
}

/** Bytes of the parts that are known by the store's word alone. */
export function unprovenBytes(
  plan: PartPlan,
  size: number,
  claims: UnverifiedChecksums,
  checksums: ReadonlyMap<number, string>,
): number {
  let bytes = 0;
  for (const partNumber of claims.keys()) if (!checksums.has(partNumber)) bytes += partLength(plan, size, partNumber);
  return bytes;
}

function otherContents(source: ByteSource, session: Session): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} is not the file that was uploaded to ${session.key}: the object has other bytes.`,
    {
      hint: 'Nothing was sent. Upload it under another key, or replace the object with --overwrite.',
    },
  );
}

function notThisFile(source: ByteSource, partNumber: number): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} is not the file that was uploaded so far: part ${partNumber} has other bytes.`,
    {
      hint: 'Nothing was completed and the stored parts are kept. Resume with the original file, or abort the session and upload this one.',
    },
  );
}

/** Waits for the proof to end or for its head start to be over, whichever is first. Its failure is told elsewhere. */
export function headStart(proof: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PROOF_HEAD_START_MS);
    const settled = () => {
      clearTimeout(timer);
      resolve();
    };
    proof.then(settled, settled);
  });
}
