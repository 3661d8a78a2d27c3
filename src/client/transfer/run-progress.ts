import type { Session } from '../../contract/wire.ts';
import type { EngineEvent, RunTotals } from '../progress/events.ts';
import { createProgressCounter } from '../progress/progress-counter.ts';
import { createWallTimes } from '../progress/wall-times.ts';

export interface RunProgressOptions {
  readonly session: Session;
  /** Totals of this upload with an earlier plan. */
  readonly before: RunTotals | undefined;
  readonly onEvent: ((event: EngineEvent) => void) | undefined;
  readonly now: () => number;
}

/** Counts what a run does, and passes its events on to the caller. */
export function createRunProgress({ session, before, onEvent, now }: RunProgressOptions) {
  const counter = createProgressCounter(session, now, before);
  const withWallTimes = createWallTimes(now, Date.now);
  const reconnectListeners: (() => void)[] = [];

  function notify(event: EngineEvent): void {
    counter.observe(event);
    onEvent?.(withWallTimes(event));
  }

  return {
    counter,
    notify,
    /** For links, whose outages may have cost answers and connections: `onReconnected` listeners come before the caller. */
    notifyOfLink(event: EngineEvent): void {
      if (event.type === 'online') for (const listener of reconnectListeners) listener();
      notify(event);
    },
    onReconnected(listener: () => void): void {
      reconnectListeners.push(listener);
    },
    show(): void {
      notify({ type: 'progress', ...counter.figures() });
    },
  };
}
export type RunProgress = ReturnType<typeof createRunProgress>;
