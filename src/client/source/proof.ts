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

/** On resume, stored parts are compared for this long before the first byte is sent: most changed files are found at once. */
const PROOF_HEAD_START_MS = 400;

/**
 * CRC32 (base64) by part number, as the store lists them, of parts that were not compared with the source. They must never mix with
 * the checksums of the source: a journal that took them over would vouch for parts that were never read.
 */
export type UnverifiedChecksums = ReadonlyMap<number, string>;

/**
 * Proves that parts which the store holds already are parts of this source, by their CRC32: those that the caller vouches
 * for (same file, untouched since it was read) by comparison, the others by reading as many of them as `verifyResume` says.
 * Resolves to the checksums that the store lists for the rest.
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
  const unverified = checksumsLeftUnread(stored, options.readings.checksums, options.verifyResume);
  await readChecksums({
    ...options,
    partNumbers: [...stored.keys()].filter((partNumber) => !unverified.has(partNumber)),
    check: (partNumber, checksum) => {
      if (checksum !== stored.get(partNumber)) throw notThisFile(options.source, partNumber);
    },
  });
  return unverified;
}

function checksumsLeftUnread(
  stored: ReadonlyMap<number, string | null>,
  checksums: ReadonlyMap<number, string>,
  verifyResume: VerifyResume,
): UnverifiedChecksums {
  const unverified = new Map<number, string>();
  for (const [partNumber, checksum] of stored) {
    if (checksum !== null && !checksums.has(partNumber)) unverified.set(partNumber, checksum);
  }
  for (const partNumber of partsToRead([...unverified.keys()], verifyResume)) unverified.delete(partNumber);
  return unverified;
}

/**
 * Proves that the object of a completed session has the bytes of this source. Nothing is sent. The object has one checksum for the
 * whole and a few parts cannot be compared alone, so `sample` reads all, and `none` leaves the object unproven unless all parts' CRCs
 * are known. Begins again if the source changes meanwhile. Resolves to the number of bytes that were not compared with the
 * source: none or all.
 * @throws UploadError `SOURCE_CHANGED` if the object has different bytes, or if the source keeps changing.
 */
export async function proveObject(options: {
  readonly source: ByteSource;
  /** A completed session; its checksum is the store's, as the server reports it. */
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

/** Adds up the bytes of the parts whose checksum only the store has reported. */
export function unprovenBytes(
  plan: PartPlan,
  size: number,
  unverified: UnverifiedChecksums,
  checksums: ReadonlyMap<number, string>,
): number {
  let bytes = 0;
  for (const partNumber of unverified.keys()) if (!checksums.has(partNumber)) bytes += partLength(plan, size, partNumber);
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

/** Waits for the proof to end or for its head start to be over, whichever comes first. The proof itself reports its failure. */
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
