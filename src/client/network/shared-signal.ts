import { setMaxListeners } from 'node:events';

/** A signal that all parts of a run listen to. Node would warn of a leak at the eleventh listener; sixteen parts are none. */
export function sharedSignal(...signals: AbortSignal[]): AbortSignal {
  const shared = AbortSignal.any(signals);
  setMaxListeners(0, shared);
  return shared;
}
