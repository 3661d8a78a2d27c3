import pLimit from 'p-limit';
import { createFlightController, type FlightController } from './parts-in-flight.ts';

/** Parts being read, signed or answered, beyond those being sent: the wire is never idle for them. */
const PREPARED_AHEAD = 2;
/** Bodies that were handed over whole and wait for their answer, beyond those being sent. */
const UNANSWERED_MORE = 1;
/** A window is judged when enough was sent to tell a trend from noise … */
const WINDOW_BYTES_PER_SLOT = 1024 * 1024;
const SHORTEST_WINDOW_MS = 400;
/** … or when the link is so slow that waiting for it would take too long. */
const LONGEST_WINDOW_MS = 20_000;

/** Runs `send` in a send slot until it calls `release` or ends. */
export type InSendSlot = <Result>(send: (release: () => void) => Promise<Result>) => Promise<Result>;

export interface SlotsOptions {
  readonly partSize: number;
  /** Most bodies on the wire at once; exactly so many where `fixed`. */
  readonly most: number;
  readonly fixed: boolean;
  /** Bytes handed to sockets so far. */
  readonly bytesSent: () => number;
  readonly now: () => number;
}

/**
 * Limits how many parts are under way: as many as pay. A part holds a *prepare slot* from when it is read until it is answered,
 * and a *send slot* only while its body is sent. Parts are prepared side by side and queue for send slots in order, so that what
 * is stored is always a beginning of the file.
 */
export function createSlots({ partSize, most, fixed, bytesSent, now }: SlotsOptions) {
  const controller: FlightController = createFlightController(most, fixed ? most : undefined);
  const sendSlots = pLimit(controller.limit);
  /**
   * Bodies sent or unanswered. A fully written body may still sit in kernel or VPN buffers: one such body keeps the wire busy, more
   * only risk being sent again.
   */
  const unanswered = pLimit(mostUnanswered(controller.limit));
  const prepareSlots = pLimit(controller.limit + PREPARED_AHEAD);
  let isNarrow = fixed;
  /** Resolves when the latest part has queued for a send slot, or has ended without. */
  let latestHasQueued: Promise<void> = Promise.resolve();
  let window = { startedAt: now(), bytesBefore: bytesSent(), saturated: true };

  /** A limit that was asked for counts all parts that are at risk. */
  function mostUnanswered(limit: number): number {
    return fixed ? limit + UNANSWERED_MORE : Math.min(most, limit + UNANSWERED_MORE);
  }

  function setLimit(limit: number): void {
    sendSlots.concurrency = limit;
    unanswered.concurrency = mostUnanswered(limit);
    prepareSlots.concurrency = limit + PREPARED_AHEAD;
  }

  const inSendSlot: InSendSlot = <Result>(send: (release: () => void) => Promise<Result>) =>
    unanswered(
      () =>
        new Promise<Result>((resolve, reject) => {
          void sendSlots(
            () =>
              new Promise<void>((release) => {
                // Deferred, so that what `send` throws at once is a rejection, too.
                Promise.resolve()
                  .then(() => send(release))
                  .then(resolve, reject)
                  .finally(release);
              }),
          );
        }),
    );

  return {
    /**
     * Runs `work` on one part in a prepare slot. Its first `inSendSlot` queues when all parts that came earlier have queued for theirs,
     * or have ended without; repeats queue at once.
     */
    inOrder<Result>(work: (inSendSlot: InSendSlot) => Promise<Result>): Promise<Result> {
      const earlierHaveQueued = latestHasQueued;
      let hasQueued = () => {};
      latestHasQueued = new Promise((resolve) => {
        hasQueued = resolve;
      });
      const inOrderedSlot: InSendSlot = async (send) => {
        await earlierHaveQueued;
        const sent = inSendSlot(send);
        hasQueued();
        return sent;
      };
      return prepareSlots(() => work(inOrderedSlot).finally(hasQueued));
    },
    /** Call a few times a second: ends a window once there is enough to judge. */
    tick(): void {
      if (isNarrow) return;
      window.saturated &&= prepareSlots.pendingCount > 0;
      const at = now();
      const elapsedMs = at - window.startedAt;
      const bytes = bytesSent() - window.bytesBefore;
      const isTelling = elapsedMs >= SHORTEST_WINDOW_MS && bytes >= controller.limit * WINDOW_BYTES_PER_SLOT;
      if (!isTelling && elapsedMs < LONGEST_WINDOW_MS) return;
      setLimit(controller.window({ at, bytesPerSecond: (bytes * 1_000) / elapsedMs, saturated: window.saturated, partSize }));
      window = { startedAt: at, bytesBefore: bytesSent(), saturated: true };
    },
    /** A connection stalled or the link broke: sends less at once, so that less is lost when it breaks again. */
    trouble(): void {
      if (isNarrow) return;
      const at = now();
      setLimit(controller.halve(at));
      window = { startedAt: at, bytesBefore: bytesSent(), saturated: true };
    },
    /** From now on one body at a time: side by side, each takes longer. False where it was so already, or was asked for. */
    narrow(): boolean {
      if (isNarrow) return false;
      isNarrow = true;
      setLimit(1);
      return true;
    },
    /** After a pause or a change of the rate limit: earlier measurements no longer apply, nor does the window that is open now. */
    restart(): void {
      if (isNarrow) return;
      controller.restart();
      window = { startedAt: now(), bytesBefore: bytesSent(), saturated: false };
    },
  };
}
export type Slots = ReturnType<typeof createSlots>;
