import { MAX_PRESIGN_BATCH } from '../../contract/paths.ts';
import type { PresignedPart } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';

interface Waiting {
  readonly partNumber: number;
  readonly checksum: string;
  resolve(part: PresignedPart): void;
  reject(error: unknown): void;
}

/** Signs a batch: part numbers and the CRC32 of each. */
export type PresignBatch = (checksums: ReadonlyMap<number, string>) => Promise<readonly PresignedPart[]>;

/**
 * Asks for URLs just before they are used, so that none expires in a queue. The first part is asked for at once; parts
 * that come while a request is under way share the next one. So a slow link costs one round trip, not one for each part.
 */
export function createPresignQueue(presign: PresignBatch) {
  let waiting: Waiting[] = [];
  let busy = false;

  async function drain(): Promise<void> {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_PRESIGN_BATCH);
      waiting = waiting.slice(MAX_PRESIGN_BATCH);
      await signBatch(batch);
    }
    busy = false;
  }

  async function signBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const parts = await presign(new Map(batch.map(({ partNumber, checksum }) => [partNumber, checksum])));
      const byNumber = new Map(parts.map((part) => [part.partNumber, part]));
      for (const { partNumber, resolve, reject } of batch) {
        const part = byNumber.get(partNumber);
        if (part) resolve(part);
        else reject(new UploadError('INVALID_ANSWER', `The partway server signed no URL for part ${partNumber}.`));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    sign(partNumber: number, checksum: string): Promise<PresignedPart> {
      return new Promise((resolve, reject) => {
        waiting.push({ partNumber, checksum, resolve, reject });
        if (!busy) void drain();
      });
    },
  };
}
