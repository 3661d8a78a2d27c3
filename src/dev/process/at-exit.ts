/**
 * Clean-up for when this process ends, however it ends (kill -9 apart). Without it a stopped test run leaves servers behind:
 * a signal ends a Node process without an 'exit' event unless somebody listens to the signal.
 */
const cleanups = new Set<() => void>();
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** `cleanup` must be synchronous. Returns a function that takes it off the list. */
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
  // Somebody else who listens (the quick start, vitest) decides when to go; 'exit' still comes here then.
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
