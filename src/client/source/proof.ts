import type { Session, WireStoredPart } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { UploadEvent } from '../events.ts';
import type { ByteSource } from './byte-source.ts';
import { combineChecksums, readChecksums } from './part-checksums.ts';

/** On resume, stored parts are compared for this long before the first byte is sent: a changed file shows almost at once. */
const PROOF_HEAD_START_MS = 700;

/**
 * Proves that parts which the store holds already are parts of this source, by their CRC32: those that the caller vouches
 * for (same file, untouched since it was read) by comparison, the others by reading them.
 * @throws UploadError `SOURCE_CHANGED` at the first part that differs.
 */
export async function proveParts(options: {
  readonly source: ByteSource;
  readonly plan: PartPlan;
  readonly stored: readonly WireStoredPart[];
  /** CRCs of this source's parts. Grows by those that are read here. */
  readonly checksums: Map<number, string>;
  readonly signal: AbortSignal;
  readonly onEvent: (event: UploadEvent) => void;
}): Promise<void> {
  const stored = new Map(options.stored.map((part) => [part.partNumber, part.checksum]));
  await readChecksums({
    ...options,
    partNumbers: [...stored.keys()],
    check: (partNumber, checksum) => {
      if (checksum !== stored.get(partNumber)) throw notThisFile(options.source, partNumber);
    },
  });
}

/**
 * Proves that the object of a completed session has the bytes of this source. Nothing is sent.
 * @throws UploadError `SOURCE_CHANGED` if it has others.
 */
export async function proveObject(options: {
  readonly source: ByteSource;
  readonly session: Session;
  readonly checksums: Map<number, string>;
  readonly signal: AbortSignal;
  readonly onEvent: (event: UploadEvent) => void;
}): Promise<void> {
  const { source, session, checksums } = options;
  const plan: PartPlan = { strategy: session.strategy, partSize: session.partSize, partCount: session.partCount };
  const partNumbers = Array.from({ length: plan.partCount }, (_, index) => index + 1);
  await readChecksums({ ...options, plan, partNumbers });
  if (combineChecksums(plan, session.size, checksums) !== session.checksum) throw otherContents(source, session);
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
export function headStart(proof: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PROOF_HEAD_START_MS);
    const settled = () => {
      clearTimeout(timer);
      resolve();
    };
    proof.then(settled, settled);
  });
}
