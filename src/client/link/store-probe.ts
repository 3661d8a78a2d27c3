import type { PresignedPart } from '../../contract/wire.ts';
import { probeUrl } from './http-probe.ts';

const PROBE_TIMEOUT_MS = 5_000;
/** During an outage the server is asked where the store is now, at most so often. */
const ASK_AGAIN_MS = 5_000;

export interface StoreProbeOptions {
  /** A part URL as the server signs it now. It is looked at, and not used. */
  readonly sign: (signal: AbortSignal) => Promise<PresignedPart | undefined>;
  /** Sends no byte of the part. @throws where something other than the store answers, or nothing at all */
  readonly putNothing: (part: PresignedPart, signal: AbortSignal) => Promise<void>;
  /** The server signs for another address now. Both are origins. */
  readonly onMoved: (from: string, to: string) => void;
  readonly now: () => number;
}

/**
 * Asks the object store's front door whether it is there. Any answer but a 5xx counts: a store that is starting says 503,
 * and one that is up refuses the anonymous request, which is answer enough. Once something else has answered a part, only the
 * store's own answer to an empty PUT counts.
 */
export function createStoreProbe({ sign, putNothing, onMoved, now }: StoreProbeOptions) {
  let latest: PresignedPart | undefined;
  let isSuspect = false;
  let asking = false;
  let askedAt = Number.NEGATIVE_INFINITY;

  function learn(part: PresignedPart): void {
    const before = latest;
    latest = part;
    if (before !== undefined && originOf(before) !== originOf(part)) onMoved(originOf(before), originOf(part));
  }

  async function ask(part: PresignedPart, signal: AbortSignal): Promise<void> {
    if (isSuspect) return putNothing(part, signal);
    const status = await probeUrl(`${originOf(part)}/`, { timeoutMs: PROBE_TIMEOUT_MS, signal });
    if (status >= 500) throw new Error(`it answers HTTP ${status}`);
  }

  /** Beside the probes, which go on at the address that is known: the server may be out of reach as well. */
  async function askForAddress(signal: AbortSignal): Promise<void> {
    if (asking || now() - askedAt < ASK_AGAIN_MS) return;
    asking = true;
    askedAt = now();
    try {
      const part = await sign(signal);
      if (part !== undefined) learn(part);
    } catch {
      // No news. What is wrong with server or session is told by the calls that need them.
    } finally {
      asking = false;
    }
  }

  return {
    /** A presigned URL tells where the store is. */
    learn,
    /** Whether the URL leads to where the store is now. */
    isCurrent: (part: PresignedPart): boolean => latest === undefined || originOf(part) === originOf(latest),
    /** Something else answered in the store's place. */
    suspect(): void {
      isSuspect = true;
    },
    /** A part got through. */
    trust(): void {
      isSuspect = false;
    },
    async probe(signal: AbortSignal): Promise<void> {
      if (latest === undefined) return;
      try {
        await ask(latest, signal);
      } catch (error) {
        void askForAddress(signal);
        throw error;
      }
    },
  };
}
export type StoreProbe = ReturnType<typeof createStoreProbe>;

function originOf({ url }: PresignedPart): string {
  return new URL(url).origin;
}
