import type { ProgressFigures } from '../events.ts';
import { createRate } from './rate.ts';

/**
 * Counts what is stored, what is in flight and what went over the wire. Stored and in-flight bytes are never the same
 * bytes twice, so their sum never exceeds the size.
 */
export function createTally(size: number, partCount: number, now: () => number) {
  const startedAt = now();
  const rate = createRate(startedAt);
  const stored = new Map<number, number>();
  const inFlight = new Map<number, number>();
  let bytesSent = 0;

  return {
    /** What the store says it holds: at the start, and whenever it was asked again. */
    setStored(parts: Iterable<{ partNumber: number; size: number }>): void {
      stored.clear();
      for (const part of parts) stored.set(part.partNumber, part.size);
    },
    partStarted(partNumber: number): void {
      inFlight.set(partNumber, 0);
    },
    sent(partNumber: number, bytes: number): void {
      bytesSent += bytes;
      rate.add(bytes);
      inFlight.set(partNumber, (inFlight.get(partNumber) ?? 0) + bytes);
    },
    partStored(partNumber: number, bytes: number): void {
      inFlight.delete(partNumber);
      stored.set(partNumber, bytes);
    },
    partEnded(partNumber: number): void {
      inFlight.delete(partNumber);
    },
    get bytesSent(): number {
      return bytesSent;
    },
    get storedBytes(): number {
      return sum(stored.values());
    },
    get partsStored(): number {
      return stored.size;
    },
    get seconds(): number {
      return (now() - startedAt) / 1_000;
    },
    figures(): ProgressFigures {
      const storedBytes = sum(stored.values());
      const inFlightBytes = Math.min(sum(inFlight.values()), size - storedBytes);
      const bytesPerSecond = rate.sample(now());
      const left = size - storedBytes - inFlightBytes;
      const secondsRemaining = left === 0 ? 0 : bytesPerSecond > 0 ? left / bytesPerSecond : null;
      return { size, storedBytes, inFlightBytes, partsStored: stored.size, partCount, bytesPerSecond, secondsRemaining };
    },
  };
}
export type Tally = ReturnType<typeof createTally>;

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
