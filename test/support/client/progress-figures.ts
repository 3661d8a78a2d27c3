import type { ProgressFigures } from '../../../src/client/progress/events.ts';

/** Returns the figures of an upload that has not begun. A test passes the figures that it is about as `overrides`. */
export function someFigures(overrides: Partial<ProgressFigures> = {}): ProgressFigures {
  return {
    size: 2,
    storedBytes: 0,
    inFlightBytes: 0,
    partsStored: 0,
    partCount: 2,
    bytesPerSecond: 0,
    averageBytesPerSecond: 0,
    secondsRemaining: null,
    retries: 0,
    offlineMs: 0,
    wastedBytes: 0,
    ...overrides,
  };
}
