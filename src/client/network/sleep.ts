/**
 * Waits for `ms`, or until one of the functions in `wakers` is called, to which it adds its own; without `ms`, only for that.
 * @throws the signal's reason as soon as it aborts.
 */
export function sleep(ms: number | undefined, signal: AbortSignal, wakers?: Set<() => void>): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = ms === undefined ? undefined : setTimeout(done, ms);
    wakers?.add(done);
    signal.addEventListener('abort', stop, { once: true });
    function end() {
      clearTimeout(timer);
      wakers?.delete(done);
      signal.removeEventListener('abort', stop);
    }
    function done() {
      end();
      resolve();
    }
    function stop() {
      end();
      reject(signal.reason);
    }
  });
}
