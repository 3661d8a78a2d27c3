import type * as wire from '../../contract/wire.ts';
import type { Log } from '../core/deps.ts';

/** Time between two runs of checks that failed at the start. */
const AGAIN_AFTER_MS = 10_000;

/** Stands for the id of a request in the log lines of these checks. */
const AT_START = 'start';

/**
 * Checks database, bucket, keys and signing once the server listens, so that its log says from the start what is wrong; repeats the
 * checks until all pass. The server goes on meanwhile: `/readyz` says the same, and failures may be temporary.
 */
export function startChecks(
  readiness: (requestId: string) => Promise<wire.Readiness>,
  log: Log,
  againAfterMs = AGAIN_AFTER_MS,
): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let running = look();

  async function look(): Promise<void> {
    const { ready } = await readiness(AT_START);
    if (ready) log.info({}, 'ready: database, bucket and signing were tried');
    else if (!isStopped) {
      timer = setTimeout(() => {
        running = look();
      }, againAfterMs);
    }
  }

  return {
    /** Waits for running checks. */
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
