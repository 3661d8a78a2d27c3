import type { Session } from '../../contract/wire.ts';
import type { ControlEvent, EngineEvent, ProgressFigures, RunTotals } from './events.ts';
import { createOutages } from './outages.ts';
import { createRate } from './speed.ts';

const PAUSE = 'a pause';
const NOTHING_BEFORE: RunTotals = {
  bytesSent: 0,
  seconds: 0,
  averageBytesPerSecond: 0,
  retries: 0,
  offlineSeconds: 0,
  wastedBytes: 0,
};
/** After this many failed attempts without a stored part, no time left is predicted. */
const RETRIES_IN_VAIN = 2;

/**
 * Counts the bytes that are stored, in flight and sent. No byte counts as both stored and in flight, so their sum never exceeds the
 * size. Every byte sent belongs to a part that this run stored, is in flight, or is wasted.
 * @param before Totals of the same upload with an earlier plan: nothing of it is stored, and its figures go on.
 */
export function createProgressCounter(
  session: Pick<Session, 'size' | 'storedBytes' | 'partsStored' | 'partCount'>,
  now: () => number,
  before: RunTotals = NOTHING_BEFORE,
) {
  const { size, partCount } = session;
  const startedAt = now() - before.seconds * 1_000;
  let rate = createRate(now());
  /** The rate from before the pause, while paused. */
  let rateBefore: ReturnType<typeof createRate> | undefined;
  const offlineBeforeMs = before.offlineSeconds * 1_000;
  const outages = createOutages(offlineBeforeMs);
  /** Outages and pauses, excluded from the average. */
  const heldUp = createOutages(offlineBeforeMs);
  /** Figures of the session until the store itself was asked, so that progress does not begin at nothing. */
  let assumed = { bytes: session.storedBytes, parts: session.partsStored };
  const stored = new Map<number, number>();
  const inFlight = new Map<number, number>();
  /** Bytes of the attempt that stored a part, by part number. */
  const delivered = new Map<number, number>();
  let bytesSent = before.bytesSent;
  let bytesSentFreely = before.averageBytesPerSecond * (before.seconds - before.offlineSeconds);
  let wastedBytes = before.wastedBytes;
  let retries = before.retries;
  let retriesInVain = 0;

  function waste(from: Map<number, number>, partNumber: number): void {
    wastedBytes += from.get(partNumber) ?? 0;
    from.delete(partNumber);
  }

  function storedBytes(): number {
    return assumed.bytes + sum(stored.values());
  }

  function averageBytesPerSecond(at: number): number {
    const freeMs = at - startedAt - heldUp.totalMs(at);
    return freeMs > 0 ? (bytesSentFreely * 1_000) / freeMs : 0;
  }

  function observeOutage(event: Extract<EngineEvent, { type: 'offline' | 'online' }>): void {
    const wasOffline = outages.any;
    for (const periods of [outages, heldUp]) {
      if (event.type === 'offline') periods.began(event.what, event.since);
      else periods.ended(event.what, now());
    }
    if (outages.any !== wasOffline) rate.restart(now());
  }

  function observeControl({ type }: ControlEvent): void {
    const at = now();
    if (type === 'paused') {
      heldUp.began(PAUSE, at);
      rateBefore = rate;
      // Bodies that are sent to their end now say nothing about the speed afterwards.
      rate = createRate(at);
    } else if (type === 'resumed') {
      heldUp.ended(PAUSE, at);
      rate = rateBefore ?? rate;
      rateBefore = undefined;
      rate.restart(at);
    } else {
      rate = createRate(at);
      rateBefore &&= createRate(at);
    }
  }

  return {
    /** Takes over the store's own list: at the start, and whenever the store was asked again. */
    setStored(parts: Iterable<{ partNumber: number; size: number }>): void {
      assumed = { bytes: 0, parts: 0 };
      stored.clear();
      for (const part of parts) stored.set(part.partNumber, part.size);
      for (const partNumber of delivered.keys()) if (!stored.has(partNumber)) waste(delivered, partNumber);
    },
    partStarted(partNumber: number): void {
      waste(inFlight, partNumber);
      inFlight.set(partNumber, 0);
    },
    sent(partNumber: number, bytes: number): void {
      bytesSent += bytes;
      if (!heldUp.any) bytesSentFreely += bytes;
      rate.add(bytes);
      inFlight.set(partNumber, (inFlight.get(partNumber) ?? 0) + bytes);
    },
    partStored(partNumber: number, bytes: number): void {
      waste(delivered, partNumber);
      delivered.set(partNumber, inFlight.get(partNumber) ?? 0);
      inFlight.delete(partNumber);
      retriesInVain = 0;
      stored.set(partNumber, bytes);
    },
    /** Call when an attempt did not end in a stored part. */
    partEnded(partNumber: number): void {
      waste(inFlight, partNumber);
    },
    /** Takes retries, outages and pauses from the engine's events. */
    observe(event: EngineEvent): void {
      if (event.type === 'retry') {
        retries += 1;
        retriesInVain += 1;
      } else if (event.type === 'offline' || event.type === 'online') observeOutage(event);
      else if (event.type === 'paused' || event.type === 'resumed' || event.type === 'limit') observeControl(event);
    },
    get bytesSent(): number {
      return bytesSent;
    },
    get storedBytes(): number {
      return storedBytes();
    },
    figures(): ProgressFigures {
      const at = now();
      const storedNow = storedBytes();
      const inFlightBytes = Math.min(sum(inFlight.values()), size - storedNow);
      const speed = rate.sample(at);
      const isPaused = rateBefore !== undefined;
      const left = size - storedNow - inFlightBytes;
      const expected = outages.any || isPaused || retriesInVain >= RETRIES_IN_VAIN ? 0 : rate.expected;
      return {
        size,
        storedBytes: storedNow,
        inFlightBytes,
        partsStored: assumed.parts + stored.size,
        partCount,
        bytesPerSecond: isPaused && inFlight.size === 0 ? 0 : speed,
        averageBytesPerSecond: averageBytesPerSecond(at),
        secondsRemaining: left === 0 ? 0 : expected > 0 ? left / expected : null,
        retries,
        offlineMs: outages.totalMs(at),
        wastedBytes,
      };
    },
    totals(): RunTotals {
      const at = now();
      return {
        bytesSent,
        seconds: (at - startedAt) / 1_000,
        averageBytesPerSecond: averageBytesPerSecond(at),
        retries,
        offlineSeconds: outages.totalMs(at) / 1_000,
        wastedBytes,
      };
    },
  };
}
export type ProgressCounter = ReturnType<typeof createProgressCounter>;

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
