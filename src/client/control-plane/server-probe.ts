import { PATHS } from '../../contract/paths.ts';
import { probeUrl } from '../network/http-probe.ts';
import type { ControlPlane } from './control-plane.ts';

const PROBE_TIMEOUT_MS = 5_000;

/** Over a connection of its own; anything but an answer of a server that works counts as none. */
export async function probeServer({ server, makeAgent }: ControlPlane, signal: AbortSignal): Promise<void> {
  const status = await probeUrl(server + PATHS.healthz, { timeoutMs: PROBE_TIMEOUT_MS, makeAgent, signal });
  if (status !== 200) throw new Error(`it answers HTTP ${status}`);
}
