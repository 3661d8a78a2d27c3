import { PATHS } from '../../contract/paths.ts';
import type { Network } from '../../session/strategy.ts';
import { LinkFailure } from '../network/link-failure.ts';
import { probeUrl } from '../network/probes.ts';
import type { ControlPlane } from './control-plane.ts';

export interface ProbeResult {
  readonly network: Network;
  /** Tells people what was measured. */
  readonly reason: string;
}

const PROBES = 8;
/** Far beyond any healthy path around the world; a lost packet at connection set-up costs 1 s before it is sent again (RFC 6298). */
const DELAYED_MS = 900;
const PROBE_TIMEOUT_MS = 3_000;

/**
 * Sends a few small requests before an upload: one that is lost or late makes the link unreliable. Each opens its own connection,
 * as parts will. They go one after another, so that they do not delay each other.
 */
export async function probeNetwork(options: {
  controlPlane: ControlPlane;
  probes?: number;
  signal?: AbortSignal;
}): Promise<ProbeResult> {
  const probes = options.probes ?? PROBES;
  const times: number[] = [];
  for (let sent = 0; sent < probes; sent++) times.push(await timeOne(options.controlPlane, options.signal));
  return judgeProbes(times);
}

/** Judges the times of answers; `Infinity` stands for a request without one. */
export function judgeProbes(times: readonly number[]): ProbeResult {
  const lost = times.filter((ms) => ms === Infinity).length;
  const late = times.filter((ms) => ms !== Infinity && ms > DELAYED_MS).length;
  if (lost > 0) return { network: 'unreliable', reason: `${lost} of ${times.length} probes got no answer` };
  if (late > 0) return { network: 'unreliable', reason: `${late} of ${times.length} probes took longer than ${DELAYED_MS} ms` };
  return {
    network: 'reliable',
    reason: `${times.length} probes were answered, the slowest in ${Math.ceil(Math.max(0, ...times))} ms`,
  };
}

async function timeOne({ server, makeAgent }: ControlPlane, signal: AbortSignal | undefined): Promise<number> {
  const startedAt = performance.now();
  try {
    await probeUrl(server + PATHS.healthz, { timeoutMs: PROBE_TIMEOUT_MS, makeAgent, signal });
    return performance.now() - startedAt;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof LinkFailure)) throw error;
    return Infinity;
  }
}
