/**
 * Finds out whether something on the way cuts uploads by a rule (a proxy or balancer with a time or size limit), as opposed to a
 * link that breaks now and then. Pure: decides by the attempts that ended without the store's answer.
 */

/** One attempt at a part whose connection the other side ended while the store itself could be reached. */
export interface CutAttempt {
  /** Milliseconds on any clock. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Body bytes that the socket took. Some of them were still in buffers on the way. */
  readonly bytes: number;
  /** Ended by an answer that is not the store's. Its age may follow a rule; how much was sent by then is chance. */
  readonly answered?: boolean;
}

export interface CutPattern {
  readonly by: 'time' | 'size';
  /** Average age of the connections that were cut. */
  readonly afterMs: number;
  /** Least and most bytes that one of them carried. */
  readonly leastBytes: number;
  readonly mostBytes: number;
}

/** Cuts in a row that make a pattern, each begun after the one before was cut: connections that break together are one event. */
export const CUTS_OF_A_PATTERN = 3;
/** Scheduling and round trips blur a limit by this much … */
const SIMILAR_SHARE = 0.25;
const SIMILAR_MS = 500;
/** … and buffers on the way by this much. */
const SIMILAR_BYTES = 1024 * 1024;
/** Time limits of proxies are whole seconds. Connections that are cut earlier are refused for another reason. */
const SHORTEST_LIMIT_MS = 900;
/** Connections that are cut with less are not limited but refused. */
const SMALLEST_LIMIT_BYTES = 64 * 1024;

/** @param cuts In the order of their ends; all since a part last got through or the link was last down. */
export function findCutPattern(cuts: readonly CutAttempt[]): CutPattern | undefined {
  const latest = oneAfterAnother(cuts).slice(-CUTS_OF_A_PATTERN);
  if (latest.length < CUTS_OF_A_PATTERN) return undefined;
  const ages = latest.map(({ startedAt, endedAt }) => endedAt - startedAt);
  const bytes = latest.map((cut) => cut.bytes);
  const facts = {
    afterMs: ages.reduce((sum, age) => sum + age, 0) / ages.length,
    leastBytes: Math.min(...bytes),
    mostBytes: Math.max(...bytes),
  };
  if (Math.min(...ages) >= SHORTEST_LIMIT_MS && areSimilar(ages, SIMILAR_MS)) return { by: 'time', ...facts };
  const isBySize = latest.every(({ answered }) => !answered) && facts.leastBytes >= SMALLEST_LIMIT_BYTES;
  return isBySize && areSimilar(bytes, SIMILAR_BYTES) ? { by: 'size', ...facts } : undefined;
}

/** Connections that one break ended together count once: of those that overlap, the last to end. */
function oneAfterAnother(cuts: readonly CutAttempt[]): readonly CutAttempt[] {
  const separate: CutAttempt[] = [];
  for (const cut of cuts.toReversed()) {
    const later = separate[0];
    if (later === undefined || cut.endedAt <= later.startedAt) separate.unshift(cut);
  }
  return separate;
}

function areSimilar(values: readonly number[], slack: number): boolean {
  const most = Math.max(...values);
  return most - Math.min(...values) <= Math.max(slack, most * SIMILAR_SHARE);
}

/** Number of cuts that are kept. A pattern needs few, but parts in flight together add overlapping ones. */
const MOST_KEPT = 64;

/** Remembers the cuts of one run. */
export function createCutWatch() {
  let cuts: CutAttempt[] = [];
  return {
    /** Records a cut. Returns the pattern that it completes or continues. */
    cut(attempt: CutAttempt): CutPattern | undefined {
      cuts = [...cuts, attempt].slice(-MOST_KEPT);
      return findCutPattern(cuts);
    },
    /** Records a part that got through: no limit is below its age and bytes. */
    passed({ startedAt, endedAt, bytes }: CutAttempt): void {
      const ageMs = endedAt - startedAt;
      cuts = cuts.filter((cut) => cut.endedAt - cut.startedAt > ageMs && cut.bytes > bytes);
    },
    /** Call when the link was down or the way of sending changed: earlier cuts say nothing any more. */
    forget(): void {
      cuts = [];
    },
  };
}
