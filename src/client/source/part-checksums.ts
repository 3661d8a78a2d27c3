import { checksumOfParts } from '../../session/checksum.ts';
import { type PartPlan, partLength, partRange } from '../../session/part-plan.ts';
import type { EngineEvent } from '../progress/events.ts';
import type { ByteSource } from './byte-source.ts';
import { checksumOfRange } from './checksum.ts';
import type { Readings } from './readings.ts';
import { partChanged } from './source-changes.ts';

/** Reads the parts that were not read yet, and records them. */
export async function readChecksums(options: {
  readonly source: ByteSource;
  readonly plan: PartPlan;
  readonly partNumbers: readonly number[];
  readonly readings: Readings;
  readonly signal: AbortSignal;
  readonly onEvent: (event: EngineEvent) => void;
  /** Called after each part, whether it was read now or known before. */
  readonly check?: (partNumber: number, checksum: string) => void;
}): Promise<void> {
  const { source, plan, partNumbers, readings, signal, onEvent, check } = options;
  const length = (partNumber: number) => partLength(plan, source.size, partNumber);
  const totalBytes = partNumbers.reduce(
    (sum, partNumber) => sum + (readings.checksums.has(partNumber) ? 0 : length(partNumber)),
    0,
  );
  let verifiedBytes = 0;
  for (const partNumber of partNumbers) {
    signal.throwIfAborted();
    let checksum = readings.checksums.get(partNumber);
    if (checksum === undefined) {
      const { epoch } = readings;
      const { start, end } = partRange(plan, source.size, partNumber);
      checksum = await checksumOfRange(source, start, end, { signal });
      if (!readings.record(partNumber, checksum, epoch)) throw partChanged(source, partNumber);
      verifiedBytes += end - start;
      onEvent({ type: 'verifying', verifiedBytes, totalBytes });
    }
    check?.(partNumber, checksum);
  }
}

/** Combines the parts' checksums into that of the whole file, without reading anything again. @throws RangeError if one is missing. */
export function combineChecksums(plan: PartPlan, size: number, checksums: ReadonlyMap<number, string>): string {
  const partNumbers = Array.from({ length: plan.partCount }, (_, index) => index + 1);
  return checksumOfParts(
    partNumbers.map((partNumber) => ({ checksum: checksums.get(partNumber), size: partLength(plan, size, partNumber) })),
  );
}
