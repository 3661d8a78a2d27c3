import { isUploadError } from '../../session/errors.ts';
import { sleep } from '../network/sleep.ts';

/**
 * Milliseconds until a call is sent again; each further wait is twice the one before. Most answers come at once: a call that takes this
 * long may wait for a slow store, or its connection may be dead without a sign (TCP reports that after minutes).
 */
const ASK_AGAIN_MS = 10_000;

export interface AskAgainOptions {
  readonly signal: AbortSignal;
  /** Makes the next requests use new connections; those under way keep theirs. */
  readonly renewConnections: () => void;
  readonly askAgainMs?: number;
}

/**
 * For calls that may take minutes and are safe to repeat: sends the call again beside those that still wait, and takes the first answer.
 * The server lets repeats share what it has begun. @throws the first error that is an answer; `SERVER_UNREACHABLE` once all calls have failed so
 */
export async function firstAnswer<Result>(
  ask: (signal: AbortSignal) => Promise<Result>,
  { signal, renewConnections, askAgainMs = ASK_AGAIN_MS }: AskAgainOptions,
): Promise<Result> {
  const answered = new AbortController();
  const until = AbortSignal.any([signal, answered.signal]);
  let waiting = 0;
  try {
    return await new Promise<Result>((resolve, reject) => {
      const begin = () => {
        waiting += 1;
        ask(until).then(resolve, (error: unknown) => {
          waiting -= 1;
          if (waiting === 0 || !isUploadError(error, 'SERVER_UNREACHABLE')) reject(error);
        });
      };
      begin();
      askFromTimeToTime(begin, renewConnections, askAgainMs, until).catch(reject);
    });
  } finally {
    answered.abort(new Error('answered'));
  }
}

/** Goes on until `signal` aborts; never resolves. */
async function askFromTimeToTime(begin: () => void, renewConnections: () => void, firstMs: number, signal: AbortSignal) {
  for (let waitMs = firstMs; ; waitMs *= 2) {
    await sleep(waitMs, signal);
    renewConnections();
    begin();
  }
}
