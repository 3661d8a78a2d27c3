import type { PresignedPart } from '../../contract/wire.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { probeUrl } from './http-probe.ts';
import { explainForeignAnswer } from './tls-probe.ts';

const PROBE_TIMEOUT_MS = 5_000;
/** During an outage the server is asked where the store is now, at most so often. */
const ASK_AGAIN_MS = 5_000;

export interface StoreProbeOptions {
  /** The URL of a part as the server signs it now. */
  readonly sign: (partNumber: number, signal: AbortSignal) => Promise<PresignedPart | undefined>;
  /** Sends no byte of the part. @throws where something other than the store answers, or nothing at all */
  readonly putNothing: (part: PresignedPart, signal: AbortSignal) => Promise<void>;
  /** The server signs for another address now. Both are origins. */
  readonly onMoved: (from: string, to: string) => void;
  readonly makeAgent?: MakeAgent | undefined;
  readonly now: () => number;
  /** Origins that have answered: this probe adds the store's. */
  readonly answered: Set<string>;
}

/**
 * Asks the object store's front door whether it is there. Any answer but a 5xx counts: a store that is starting says 503,
 * and one that is up refuses the anonymous request, which is answer enough. Once something else has answered a part, only the
 * store's own answer to an empty PUT counts.
 */
export function createStoreProbe({ sign, putNothing, onMoved, makeAgent, now, answered }: StoreProbeOptions) {
  let latest: PresignedPart | undefined;
  /** A part that did not get through: the only one whose URL may be tried, for those of others may be stored. */
  let suspected: PresignedPart | undefined;
  let asking = false;
  let askedAt = Number.NEGATIVE_INFINITY;

  function learn(part: PresignedPart): void {
    const before = latest;
    latest = part;
    if (before !== undefined && originOf(before) !== originOf(part)) onMoved(originOf(before), originOf(part));
  }

  async function ask(part: PresignedPart, signal: AbortSignal): Promise<void> {
    if (suspected !== undefined) return putNothing(suspected, signal);
    const status = await probeUrl(`${originOf(part)}/`, { timeoutMs: PROBE_TIMEOUT_MS, makeAgent, signal });
    const onlyTls = await explainForeignAnswer(status, originOf(part), makeAgent);
    if (onlyTls !== undefined) throw onlyTls;
    if (status >= 500) throw new Error(`it answers HTTP ${status}`);
  }

  /** Beside the probes, which go on at the address that is known: the server may be out of reach as well. */
  async function askForAddress(signal: AbortSignal): Promise<void> {
    if (asking || now() - askedAt < ASK_AGAIN_MS) return;
    asking = true;
    askedAt = now();
    try {
      const part = await sign(suspected?.partNumber ?? 1, signal);
      if (part === undefined) return;
      learn(part);
      if (suspected?.partNumber === part.partNumber) suspected = part;
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
    /** Something else answered this part in the store's place. */
    suspect(part: PresignedPart): void {
      suspected = part;
    },
    /** The part is on its way again: its URL is not to be tried any more, for the store may have it from now on. */
    sends(partNumber: number): void {
      if (suspected?.partNumber === partNumber) suspected = undefined;
    },
    /** A part got through. */
    trust(): void {
      suspected = undefined;
      if (latest !== undefined) answered.add(originOf(latest));
    },
    hasAnswered: (): boolean => latest !== undefined && answered.has(originOf(latest)),
    async probe(signal: AbortSignal): Promise<void> {
      if (latest === undefined) return;
      try {
        const origin = originOf(latest);
        await ask(latest, signal);
        answered.add(origin);
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
