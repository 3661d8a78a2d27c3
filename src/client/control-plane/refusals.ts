import type { EngineEvent } from '../progress/events.ts';

export interface RefusalsOptions {
  /** For people, for example `the partway server`. */
  readonly what: string;
  /** Set where nothing gets through to it, rather than it answering that it cannot serve. */
  readonly blocked?: true;
  readonly onEvent: (event: EngineEvent) => void;
  readonly now: () => number;
}

/** The refusals of one call that is repeated until it is served. */
export interface Refused {
  /** The call was refused once more. */
  again(reason: string, nextTryInMs: number): void;
  served(): void;
  givenUp(): void;
}

/**
 * Reports an outage of an end that can be reached and says that it cannot serve now, for example because its database is full. All
 * calls that wait for it are one outage. A call that is refused once and then served is not reported.
 */
export function createRefusals({ what, blocked, onEvent, now }: RefusalsOptions): () => Refused {
  const waiting = new Set<object>();
  /** Start of the reported outage; undefined while there is none. */
  let since: number | undefined;

  return () => {
    const self = {};
    let refusedAt: number | undefined;
    return {
      again(reason, nextTryInMs) {
        if (refusedAt === undefined) {
          refusedAt = now();
          return;
        }
        since ??= refusedAt;
        waiting.add(self);
        const how = blocked ? { blocked } : { refuses: true as const };
        onEvent({ type: 'offline', what, ...how, since, reason, nextTryInMs });
      },
      served() {
        waiting.delete(self);
        // The calls that were refused may have been given up: then the first call that is served ends the outage.
        if (since === undefined || waiting.size > 0) return;
        onEvent({ type: 'online', what, outageMs: now() - since });
        since = undefined;
      },
      givenUp() {
        waiting.delete(self);
      },
    };
  };
}
