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
  /** Lines that one source may write in one window, before those that are only counted. */
  readonly most?: number;
  readonly windowMs?: number;
  /** Sources that are told apart in one window; the rest share one more, so that memory is bounded. */
  readonly maxSources?: number;
}

interface Window {
  readonly source: Source;
  readonly startedAt: Instant;
  seen: number;
}

/**
 * Keeps a flood of refusals from filling the disk. Counts each source in windows that begin with its first refusal.
 * Not rate-limiter-flexible: that answers in a promise, and an event is to be on the disk before its request is answered.
 */
export class FloodLimit {
  readonly #most: number;
  readonly #windowMs: number;
  readonly #maxSources: number;
  /** In the order in which they began, so the first is the first to end. */
  readonly #windows = new Map<string, Window>();

  constructor({ most = 60, windowMs = 60_000, maxSources = 200 }: FloodLimitOptions = {}) {
    this.#most = most;
    this.#windowMs = windowMs;
    this.#maxSources = maxSources;
  }

  /** `last`: to be written, and all further ones of the window are left out. Expects windows that are over to have been taken. */
  admit(source: Source, now: Instant): 'write' | 'last' | 'leave-out' {
    const window = this.#windowOf(source, now);
    window.seen += 1;
    if (window.seen < this.#most) return 'write';
    return window.seen === this.#most ? 'last' : 'leave-out';
  }

  /** Forgets the windows that are over, all of them without `now`; answers what they left out. */
  takeEnded(now?: Instant): LeftOut[] {
    const ended: LeftOut[] = [];
    for (const [key, window] of this.#windows) {
      // A clock that was set back ends a window as well: it would go on for as long otherwise.
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
  // Who has one IPv6 address has the whole subnet.
  return JSON.stringify([tokenId, address === undefined ? undefined : limitKey(address)]);
}
