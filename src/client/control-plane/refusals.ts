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
  let since = 0;

  return () => {
    const self = {};
    let refusedAt: number | undefined;
    return {
      again(reason, nextTryInMs) {
        if (refusedAt === undefined) {
          refusedAt = now();
          return;
        }
        if (waiting.size === 0) since = refusedAt;
        waiting.add(self);
        const how = blocked ? { blocked } : { refuses: true as const };
        onEvent({ type: 'offline', what, ...how, since, reason, nextTryInMs });
      },
      served() {
        if (waiting.delete(self) && waiting.size === 0) onEvent({ type: 'online', what, outageMs: now() - since });
      },
      givenUp() {
        waiting.delete(self);
      },
    };
  };
}
