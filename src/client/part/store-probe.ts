import type { PresignedPart } from '../../contract/wire.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { probeUrl } from '../network/probes.ts';
import { explainForeignAnswer } from '../network/tls-probe.ts';
import type { PartUrls } from './part-urls.ts';

const PROBE_TIMEOUT_MS = 5_000;

export interface StoreProbeOptions {
  readonly urls: Pick<PartUrls, 'origin' | 'askForOrigin'>;
  /** Sends no byte of the part. @throws where something other than the store answers, or nothing at all */
  readonly putNothing: (part: PresignedPart, signal: AbortSignal) => Promise<void>;
  readonly makeAgent?: MakeAgent | undefined;
  /** Origins that have answered: this probe adds the store's. */
  readonly answered: Set<string>;
}

/**
 * Asks the object store's front door whether it is there. Any answer but a 5xx counts: a store that is starting says 503,
 * and one that is up refuses the anonymous request, which is answer enough. Once something else has answered a part, only the
 * store's own answer to an empty PUT counts.
 */
export function createStoreProbe({ urls, putNothing, makeAgent, answered }: StoreProbeOptions) {
  /** A part that did not get through: the only one whose URL may be tried, because other parts may be stored. */
  let suspected: PresignedPart | undefined;

  async function ask(origin: string, signal: AbortSignal): Promise<void> {
    if (suspected !== undefined) return putNothing(suspected, signal);
    const status = await probeUrl(`${origin}/`, { timeoutMs: PROBE_TIMEOUT_MS, makeAgent, signal });
    const onlyTls = await explainForeignAnswer(status, origin, makeAgent);
    if (onlyTls !== undefined) throw onlyTls;
    if (status >= 500) throw new Error(`it answers HTTP ${status}`);
  }

  /** Runs beside the probes, which go on at the address that is known: the server may be out of reach as well. */
  async function askForAnotherAddress(signal: AbortSignal): Promise<void> {
    const part = await urls.askForOrigin(suspected?.partNumber ?? 1, signal);
    if (part !== undefined && suspected?.partNumber === part.partNumber) suspected = part;
  }

  return {
    /** Something else answered this part in the store's place. */
    suspect(part: PresignedPart): void {
      suspected = part;
    },
    /** The part is being sent again: its URL must not be tried any more, because the store may have the part from now on. */
    sends(partNumber: number): void {
      if (suspected?.partNumber === partNumber) suspected = undefined;
    },
    /** A part got through. */
    trust(): void {
      suspected = undefined;
      if (urls.origin !== undefined) answered.add(urls.origin);
    },
    hasAnswered: (): boolean => urls.origin !== undefined && answered.has(urls.origin),
    async probe(signal: AbortSignal): Promise<void> {
      const { origin } = urls;
      if (origin === undefined) return;
      try {
        await ask(origin, signal);
        answered.add(origin);
      } catch (error) {
        void askForAnotherAddress(signal);
        throw error;
      }
    },
  };
}
export type StoreProbe = ReturnType<typeof createStoreProbe>;
