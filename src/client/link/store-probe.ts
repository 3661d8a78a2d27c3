import { probeUrl } from './http-probe.ts';

const PROBE_TIMEOUT_MS = 5_000;

/**
 * Asks the object store's front door whether anybody is in. Any answer but a 5xx counts: a store that is starting says 503,
 * and one that is up refuses the anonymous request, which is answer enough.
 */
export function createStoreProbe() {
  let origin: string | undefined;
  return {
    /** A presigned URL tells where the store is. Only its origin is kept. */
    learn(url: string): void {
      origin = new URL(url).origin;
    },
    async probe(signal: AbortSignal): Promise<void> {
      if (origin === undefined) return;
      const status = await probeUrl(`${origin}/`, { timeoutMs: PROBE_TIMEOUT_MS, signal });
      if (status >= 500) throw new Error(`it answers HTTP ${status}`);
    },
  };
}
