import type { Grant } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import { createQuotaCounter } from './quota-counter.ts';

export interface StreamLimits {
  /** Live streams at once of one token or one capability; 20 by default. */
  readonly perToken?: number;
  /** Live streams of a token together with all capabilities that it granted; 100 by default. */
  readonly perGrantor?: number;
  /** Live streams of one session, for all tokens together; 50 by default. */
  readonly perSession?: number;
}

/** Returns a function that releases the stream again. @throws UploadError `RATE_LIMITED` where no more are allowed. */
export type AcquireStream = (grant: Pick<Grant, 'tokenId' | 'limitKey'>, sessionId: string) => () => void;

/** Limits live streams: unlike a request, a stream costs the server as long as it is open. */
export function createStreamLimit({ perToken = 20, perGrantor = 100, perSession = 50 }: StreamLimits = {}): AcquireStream {
  const acquire = createQuotaCounter();
  const detail = `A token may watch ${perToken} live streams at once, ${perGrantor} with its capabilities, and a session has ${perSession} at most.`;

  return ({ tokenId, limitKey }, sessionId) => {
    const release = acquire([
      { key: `token ${tokenId}`, most: perToken },
      { key: `grantor ${limitKey}`, most: perGrantor },
      { key: `session ${sessionId}`, most: perSession },
    ]);
    if (release !== undefined) return release;
    throw new UploadError('RATE_LIMITED', detail, {
      hint: 'End a stream, or ask for the progress from time to time, without Accept: text/event-stream.',
      facts: { retryAfterSeconds: RETRY_AFTER_SECONDS },
    });
  };
}

/** Streams end when uploads do, so coming back at once would be in vain. */
const RETRY_AFTER_SECONDS = 10;
