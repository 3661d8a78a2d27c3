/**
 * Clean-up functions that run when this process ends, however it ends (except by kill -9). Without them a stopped test run leaves servers
 * behind: a signal ends a Node process without an 'exit' event unless it has a listener for the signal.
 */
const cleanups = new Set<() => void>();
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Registers `cleanup`, which must be synchronous. Returns a function that removes it again. */
export function atExit(cleanup: () => void): () => void {
  if (cleanups.size === 0) listen();
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    if (cleanups.size === 0) unlisten();
  };
}

function runCleanups(): void {
  for (const cleanup of [...cleanups].reverse()) cleanup();
  cleanups.clear();
}

function exitOnSignal(signal: NodeJS.Signals): void {
  // Another listener (the quick start's, vitest's) decides when to exit; the 'exit' event then runs the clean-up.
  if (process.listenerCount(signal) === 1) process.exit(SIGNALS[signal as keyof typeof SIGNALS]);
}

function listen(): void {
  process.on('exit', runCleanups);
  for (const signal of Object.keys(SIGNALS)) process.on(signal, exitOnSignal);
}

function unlisten(): void {
  process.off('exit', runCleanups);
  for (const signal of Object.keys(SIGNALS)) process.off(signal, exitOnSignal);
}
