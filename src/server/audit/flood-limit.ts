import type { Instant } from '../../session/session.ts';
import { limitKey } from '../limits/client-address.ts';
import type { AuditEvent } from './event.ts';

export type Source = Pick<AuditEvent, 'token' | 'tokenId' | 'address'>;

export interface LeftOut {
  readonly source: Source;
  /** At least 1. */
  readonly leftOut: number;
}

export interface FloodLimitOptions {
  /** Lines that one source may write in one window; further refusals are only counted. */
  readonly most?: number;
  readonly windowMs?: number;
  /** Sources that are counted apart in one window; all others share one more window, so that memory is bounded. */
  readonly maxSources?: number;
}

interface Window {
  readonly source: Source;
  readonly startedAt: Instant;
  seen: number;
}

/**
 * Keeps a flood of refusals from filling the disk, by counting each source in windows that begin with its first refusal.
 * rate-limiter-flexible does not fit: it answers with a promise, but an event must be written before its request is answered.
 */
export class FloodLimit {
  readonly #most: number;
  readonly #windowMs: number;
  readonly #maxSources: number;
  /** Ordered by when they began, so the first is also the first to end. */
  readonly #windows = new Map<string, Window>();

  constructor({ most = 60, windowMs = 60_000, maxSources = 200 }: FloodLimitOptions = {}) {
    this.#most = most;
    this.#windowMs = windowMs;
    this.#maxSources = maxSources;
  }

  /** Decides about one refusal; `last` is to be written, and all further ones of its window are left out. Call `takeEnded` first. */
  admit(source: Source, now: Instant): 'write' | 'last' | 'leave-out' {
    const window = this.#windowOf(source, now);
    window.seen += 1;
    if (window.seen < this.#most) return 'write';
    return window.seen === this.#most ? 'last' : 'leave-out';
  }

  /** Drops the windows that have ended (all of them without `now`) and returns what they left out. */
  takeEnded(now?: Instant): LeftOut[] {
    const ended: LeftOut[] = [];
    for (const [key, window] of this.#windows) {
      // A clock that was set back ends a window as well: otherwise the window would last that much longer.
      const isOver = now === undefined || now < window.startedAt || now - window.startedAt >= this.#windowMs;
      if (!isOver) break;
      this.#windows.delete(key);
      if (window.seen > this.#most) ended.push({ source: window.source, leftOut: window.seen - this.#most });
    }
    return ended;
  }

  #windowOf(source: Source, now: Instant): Window {
    const known = this.#windows.get(keyOf(source));
    if (known !== undefined) return known;
    if (this.#windows.size < this.#maxSources) return this.#begin(source, now);
    return this.#windows.get(keyOf({})) ?? this.#begin({}, now);
  }

  #begin({ token, tokenId, address }: Source, startedAt: Instant): Window {
    const source = { token, tokenId, address };
    const window = { source, startedAt, seen: 0 };
    this.#windows.set(keyOf(source), window);
    return window;
  }
}

function keyOf({ tokenId, address }: Source): string {
  // A client with one IPv6 address has the whole subnet.
  return JSON.stringify([tokenId, address === undefined ? undefined : limitKey(address)]);
}
