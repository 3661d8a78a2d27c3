import { UploadError } from '../../session/errors.ts';
import { MiB, type PartPlan } from '../../session/part-plan.ts';
import { createRefusals } from '../control-plane/refusals.ts';
import { type CutAttempt, type CutPattern, createCutWatch } from '../network/cut-pattern.ts';
import { waitInVain } from '../network/link.ts';
import type { EngineEvent, NoticeCode } from '../progress/events.ts';
import { describeAnswer, type PartAnswer } from './part-answer.ts';
import { adviceOnTheWay, refusedPart } from './part-failures.ts';
import { planSmallerParts, type SmallerPlan, smallestPartSize } from './smaller-parts.ts';

const WAY = 'the way to the object store';

/** Ends the round: parts of the current size do not get through, smaller ones may. */
export class SmallerPartsNeeded extends Error {
  override readonly name = 'SmallerPartsNeeded';
  readonly plan: SmallerPlan;
  constructor(plan: SmallerPlan, reason: string) {
    super(reason);
    this.plan = plan;
  }
}

export interface WayToStoreOptions {
  readonly plan: PartPlan;
  readonly size: number;
  /** Whether the plan may still change, because no part is stored. */
  readonly nothingStored: () => boolean;
  /** Sends one part at a time from now on. False where it is so already. */
  readonly narrow: () => boolean;
  /** Whether a rate limit makes parts take longer. */
  readonly isLimited: () => boolean;
  readonly onSmallerParts: (needed: SmallerPartsNeeded) => void;
  readonly onEvent: (event: EngineEvent) => void;
  readonly now: () => number;
}

/**
 * Remembers what parts of a run meet on the way to a store that can be reached: something cuts them, or answers in the store's place.
 * Decides what may help, and notifies people.
 */
export function createWayToStore(options: WayToStoreOptions) {
  const { plan, size, onEvent, now } = options;
  const cuts = createCutWatch();
  const newRefused = createRefusals({ what: WAY, blocked: true, onEvent, now });
  let refused = newRefused();
  let mayReplan = true;
  let isCutAgain = false;
  let waits = 0;
  let waitsUntil = Number.NEGATIVE_INFINITY;
  const notified = new Set<string>();

  function notifyOnce(code: NoticeCode, message: string): void {
    if (notified.has(code)) return;
    notified.add(code);
    onEvent({ type: 'notice', code, message });
  }

  function smallerParts(obstacle: CutPattern | { by: 'refusal' }): SmallerPlan | undefined {
    return mayReplan && options.nothingStored() ? planSmallerParts(plan, size, obstacle) : undefined;
  }

  function answerPattern(pattern: CutPattern): void {
    const smaller = smallerParts(pattern);
    if (smaller !== undefined) {
      options.onSmallerParts(new SmallerPartsNeeded(smaller, describePattern(pattern)));
      return;
    }
    // Parts that are sent side by side each take longer.
    if (pattern.by === 'time' && options.narrow()) {
      cuts.forget();
      notifyOnce(
        'ONE_AT_A_TIME',
        `${sentence(describePattern(pattern))} Parts are sent one at a time from now on, so that each is faster.`,
      );
      return;
    }
    // A refusal that closes at once looks the same; before the next cut, `askToSend` has found out.
    if (pattern.by === 'size' && !isCutAgain) {
      isCutAgain = true;
      return;
    }
    notifyOnce('PARTS_CUT', `${sentence(describePattern(pattern))} ${adviceAgainst(pattern)}`);
  }

  function adviceAgainst({ by }: CutPattern): string {
    const faster = by === 'time' && options.isLimited() ? 'Raise --limit, use' : 'Use';
    const allow = `${faster} another network, or have whoever runs that proxy, balancer or router allow ${by === 'time' ? 'longer requests' : 'larger bodies'}`;
    const smallest = smallestPartSize(size);
    if (plan.partSize <= smallest) return `Parts of ${inMiB(smallest)} are the smallest that S3 takes of this file. ${allow}.`;
    if (options.nothingStored()) return `${allow}; or try parts of ${inMiB(smallest)} with --part-size.`;
    return `${allow}. Parts are stored already, so their size cannot change any more; smaller ones need a new upload (partway abort, then partway upload --part-size ${inMiB(smallest).replace(' ', '')}), for which all is sent again.`;
  }

  return {
    /** Records a connection that ended early while the store could be reached. Returns what it has in common with those before. */
    cut(attempt: CutAttempt): string | undefined {
      const pattern = cuts.cut(attempt);
      if (pattern === undefined) return undefined;
      answerPattern(pattern);
      return describePattern(pattern);
    },
    /** Milliseconds in which nothing is to be sent: all parts wait for the same moment, and longer each time while none gets through. */
    waitMs(random: number): number {
      const at = now();
      if (at >= waitsUntil) waitsUntil = at + waitInVain(waits++, random);
      return waitsUntil - at;
    },
    /** No part gets through for `reason`. Notifies from the second time on, unless a part got through in between. */
    waits(reason: string, nextTryInMs: number): void {
      refused.again(reason, nextTryInMs);
    },
    passed(attempt: CutAttempt): void {
      cuts.passed(attempt);
      refused.served();
      refused = newRefused();
      waits = 0;
      waitsUntil = Number.NEGATIVE_INFINITY;
    },
    moved(from: string, to: string): void {
      onEvent({
        type: 'notice',
        code: 'STORE_MOVED',
        message: `The object store has moved from ${from} to ${to}, as the server says; the upload goes on there.`,
      });
    },
    outage(): void {
      cuts.forget();
    },
    /** The part is stored, though the answer did not say so. */
    answerWasChanged(reason: string): void {
      notifyOnce(
        'ANSWERS_CHANGED',
        `${sentence(reason)} The part is stored all the same: the store is asked after each part, which takes longer. Whoever runs that proxy should let the answers of the object store through as they are.`,
      );
    },
    /** Something on the way accepts no body of that size. */
    tooLarge(answer: PartAnswer, partSize: number): Error {
      const smaller = smallerParts({ by: 'refusal' });
      const said = `something between here and the object store takes no part of ${inMiB(partSize)}: ${describeAnswer(answer)}`;
      if (smaller === undefined) return tooLargeForGood(answer, partSize, said);
      const needed = new SmallerPartsNeeded(smaller, said);
      options.onSmallerParts(needed);
      return needed;
    },
    /** The server did not change the plan, so no other is asked for. */
    keepPlan(): void {
      mayReplan = false;
      cuts.forget();
    },
  };

  function tooLargeForGood(answer: PartAnswer, partSize: number, said: string): UploadError {
    const smallest = smallestPartSize(size);
    const refusal = refusedPart(answer, partSize);
    const advice =
      partSize <= smallest
        ? `Parts of ${inMiB(smallest)} are the smallest that S3 takes of this file, so at least that must be allowed.`
        : `Parts are stored already, so their size cannot change any more. Once larger bodies are allowed, resume; or begin again with smaller parts (partway abort, then partway upload --part-size ${inMiB(smallest).replace(' ', '')}), for which all is sent again.`;
    return new UploadError('PART_REFUSED', sentence(said), {
      hint: `${advice} ${adviceOnTheWay(answer.status)}`,
      facts: refusal.facts,
    });
  }
}
export type WayToStore = ReturnType<typeof createWayToStore>;

function describePattern({ by, afterMs, mostBytes }: CutPattern): string {
  const limit = by === 'time' ? `after about ${Math.round(afterMs / 1_000)} s` : `after about ${inMiB(mostBytes)}`;
  return `something between here and the object store cuts every connection ${limit}`;
}

function sentence(clause: string): string {
  return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`;
}

function inMiB(bytes: number): string {
  const size = bytes / MiB;
  return `${Number.isInteger(size) ? size : size.toFixed(1)} MiB`;
}
