import { adminService } from '../support/server/control-plane.ts';
import type { Stage } from './stage.ts';

const EVERY_MS = 40;

/** Checks the progress continuously: it never shows more than the whole file, and goes back only if the store lost something. */
export function watchProgress({ server, sessions, ledger }: Stage): { stop(): void } {
  const service = adminService(server.deps);
  const shown = new Map<string, number>();
  let isStopped = false;

  async function look(): Promise<void> {
    for (const { sessionId } of (await sessions.list({ limit: 100 })).sessions) {
      const { status, size, storedBytes, inFlightBytes, partsStored, partCount } = await service.progress(sessionId);
      if (storedBytes + inFlightBytes > size || partsStored > partCount) {
        ledger.violations.push(`the progress shows ${storedBytes} + ${inFlightBytes} of ${size} bytes`);
      }
      const before = shown.get(sessionId) ?? 0;
      if (storedBytes < before && status !== 'aborted' && status !== 'expired' && ledger.losses === 0) {
        ledger.violations.push(`the progress went back from ${before} to ${storedBytes} bytes`);
      }
      shown.set(sessionId, storedBytes);
    }
  }

  async function watch(): Promise<void> {
    while (!isStopped) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
  void watch().catch((error: unknown) => {
    if (!isStopped) ledger.violations.push(`watching: ${error}`);
  });
  return {
    stop() {
      isStopped = true;
    },
  };
}
