import type { EngineEvent } from './events.ts';

/**
 * Puts the wall clock's time in the place of an awake clock's where an event tells since when an outage lasts. All events of one
 * outage get the same, whatever happens to the wall clock meanwhile.
 */
export function createWallTimes(awakeNow: () => number, wallNow: () => number) {
  const told = new Map<string, { readonly since: number; readonly at: number }>();
  return (event: EngineEvent): EngineEvent => {
    if (event.type !== 'offline') return event;
    const { what, since } = event;
    const before = told.get(what);
    const at = before?.since === since ? before.at : Math.round(wallNow() - (awakeNow() - since));
    told.set(what, { since, at });
    return { ...event, since: at };
  };
}
