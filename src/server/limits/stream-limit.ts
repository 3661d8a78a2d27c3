import type { Grant } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import { createHoldings } from './quota-counter.ts';

export interface StreamLimits {
  /** Live streams at once of one token or one capability; 20 unless told. */
  readonly perToken?: number;
  /** Of a token together with all capabilities that it granted; 100 unless told. */
  readonly perGrantor?: number;
  /** Of one session, whoever watches; 50 unless told. */
  readonly perSession?: number;
}

/** Returns what gives the place back. @throws UploadError `RATE_LIMITED` where none is left. */
export type TakeStream = (grant: Pick<Grant, 'tokenId' | 'limitKey'>, sessionId: string) => () => void;

/** A stream costs the server for as long as somebody watches, unlike a request. */
export function createStreamLimit({ perToken = 20, perGrantor = 100, perSession = 50 }: StreamLimits = {}): TakeStream {
  const take = createHoldings();
  const detail = `A token may watch ${perToken} live streams at once, ${perGrantor} with its capabilities, and a session has ${perSession} at most.`;

  return ({ tokenId, limitKey }, sessionId) => {
    const release = take([
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

/** Streams end when uploads do: to come back at once is in vain. */
const RETRY_AFTER_SECONDS = 10;
