import { isUploadError } from '../../session/errors.ts';
import { sleep } from '../network/sleep.ts';

/**
 * Most answers come at once; one that takes so long may be a slow store's, or its connection may be dead without a sign (TCP says
 * so after minutes). In milliseconds; each further wait is twice the one before.
 */
const ASK_AGAIN_MS = 10_000;

export interface AskAgainOptions {
  readonly signal: AbortSignal;
  /** From here on, requests go over new connections; those under way keep theirs. */
  readonly renewConnections: () => void;
  readonly askAgainMs?: number;
}

/**
 * For calls that may take minutes and are safe to repeat: asks once more beside those who still wait, and takes the first answer.
 * The server lets repeats share what it has begun. @throws the first error that is an answer; `SERVER_UNREACHABLE` once all who asked are.
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

/** Until `signal` aborts, and never resolves. */
async function askFromTimeToTime(begin: () => void, renewConnections: () => void, firstMs: number, signal: AbortSignal) {
  for (let waitMs = firstMs; ; waitMs *= 2) {
    await sleep(waitMs, signal);
    renewConnections();
    begin();
  }
}
