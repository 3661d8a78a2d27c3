import type { EngineEvent } from '../progress/events.ts';

export interface RefusalsOptions {
  /** For people, for example `the partway server`. */
  readonly what: string;
  /** It is no answer of its own that keeps it from serving: nothing gets through to it. */
  readonly blocked?: true;
  readonly onEvent: (event: EngineEvent) => void;
  readonly now: () => number;
}

/** One call that is repeated until it is served. */
export interface Refused {
  /** It was answered once more that nobody is served now. */
  again(reason: string, nextTryInMs: number): void;
  served(): void;
  givenUp(): void;
}

/**
 * Tells of an end that can be reached and says that it cannot serve now, like one whose database is full. All calls that wait for it
 * are one outage. One that is refused once and then served is not worth a word.
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
