import { MAX_PRESIGN_BATCH } from '../../contract/paths.ts';
import type { PresignedPart, PresignRequest } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import { checkSigned } from '../control-plane/answers/parts.ts';
import { valid } from '../control-plane/answers/valid.ts';

/** During an outage of the store, the server is asked at most this often where the store is now. */
const ASK_AGAIN_MS = 5_000;

export interface PartUrlsOptions {
  readonly plan: PartPlan;
  readonly size: number;
  /** Has a batch signed, through outages of the server. */
  readonly presign: (request: PresignRequest) => Promise<{ readonly parts: readonly PresignedPart[] }>;
  /** Has one part signed without its checksum, in a single request: asked during an outage of the store, and nothing is put. */
  readonly presignOnce: (partNumber: number, signal: AbortSignal) => Promise<PresignedPart | undefined>;
  /** The server signs for another address now. Both are origins. */
  readonly onMoved: (from: string, to: string) => void;
  readonly now: () => number;
}

/** The presigned URLs of a run, and the address of the store that they lead to: the only place where the client learns it. */
export function createPartUrls({ plan, size, presign, presignOnce, onMoved, now }: PartUrlsOptions) {
  let origin: string | undefined;
  let isAsking = false;
  let askedAt = Number.NEGATIVE_INFINITY;

  function learnOrigin(part: PresignedPart): void {
    const before = origin;
    origin = originOf(part);
    if (before !== undefined && before !== origin) onMoved(before, origin);
  }

  const queue = createPresignQueue(async (checksums) => {
    const { parts } = await presign({ partNumbers: [...checksums.keys()], checksums: Object.fromEntries(checksums) });
    if (parts[0]) learnOrigin(parts[0]);
    return valid(() => checkSigned(parts, plan, size));
  });

  return {
    /** The URL for exactly the bytes with this CRC32. */
    sign: queue.sign,
    /** Where the store is, as the server last said. Undefined until the first URL was signed. */
    get origin(): string | undefined {
      return origin;
    },
    /** Whether the URL leads to where the store is now. */
    isCurrent: (part: PresignedPart): boolean => origin === undefined || originOf(part) === origin,
    /**
     * Asks the server where the store is now. Resolves to the URL that it signed, or to undefined where there is no news: the server
     * was asked within the last 5 s or cannot be reached either. The calls that need the server tell what is wrong with it.
     */
    async askForOrigin(partNumber: number, signal: AbortSignal): Promise<PresignedPart | undefined> {
      if (isAsking || now() - askedAt < ASK_AGAIN_MS) return undefined;
      isAsking = true;
      askedAt = now();
      try {
        const part = await presignOnce(partNumber, signal);
        if (part !== undefined) learnOrigin(part);
        return part;
      } catch {
        return undefined;
      } finally {
        isAsking = false;
      }
    },
  };
}
export type PartUrls = ReturnType<typeof createPartUrls>;

function originOf({ url }: PresignedPart): string {
  return new URL(url).origin;
}

/** Signs a batch: part numbers and the CRC32 of each. */
export type PresignBatch = (checksums: ReadonlyMap<number, string>) => Promise<readonly PresignedPart[]>;

interface Waiting {
  readonly partNumber: number;
  readonly checksum: string;
  resolve(part: PresignedPart): void;
  reject(error: unknown): void;
}

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
