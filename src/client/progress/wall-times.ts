import type { EngineEvent } from './events.ts';

/**
 * Replaces the awake clock's time by the wall clock's where an event says since when an outage lasts. All events of one outage get
 * the same time, whatever happens to the wall clock meanwhile.
 */
export function createWallTimes(awakeNow: () => number, wallNow: () => number) {
  const reported = new Map<string, { readonly since: number; readonly at: number }>();
  return (event: EngineEvent): EngineEvent => {
    if (event.type !== 'offline') return event;
    const { what, since } = event;
    const before = reported.get(what);
    const at = before?.since === since ? before.at : Math.round(wallNow() - (awakeNow() - since));
    reported.set(what, { since, at });
    return { ...event, since: at };
  };
}
