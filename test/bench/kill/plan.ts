import { MiB } from '../../../src/session/part-plan.ts';

export const MODES = ['replicas', 'single'] as const;
export type Mode = (typeof MODES)[number];

/** The servers that are killed; the summary uses the same names. */
export type Victim = 'replica 1' | 'replica 2' | 'database' | 'control plane' | 'MinIO';

/** One or several servers that are killed at nearly the same moment. */
export interface Strike {
  /** Counted from the beginning. */
  readonly atMs: number;
  readonly victims: readonly { readonly victim: Victim; readonly afterMs: number; readonly downMs: number }[];
}

export interface PlannedUpload {
  /** Also the object's key; no other upload has the same. */
  readonly fileName: string;
  readonly size: number;
}

interface Style {
  /** All are equally likely. */
  readonly groups: readonly (readonly Victim[])[];
  readonly gapMs: readonly [number, number];
  readonly fileSize: readonly [number, number];
  /** Share of the link to the store, chosen so that an upload takes about a minute. */
  readonly bytesPerSecondOfClient: number;
}

export const STYLES: Readonly<Record<Mode, Style>> = {
  replicas: {
    groups: [
      ['replica 1'],
      ['replica 2'],
      ['replica 1', 'replica 2'],
      ['database'],
      ['database', 'replica 1'],
      ['database', 'replica 2'],
    ],
    gapMs: [3_000, 10_000],
    fileSize: [6 * MiB, 20 * MiB],
    bytesPerSecondOfClient: 0.4 * MiB,
  },
  single: {
    groups: [['control plane'], ['MinIO'], ['control plane', 'MinIO'], ['control plane']],
    // Longer gaps: a part in transit is lost when MinIO dies, and some parts must arrive.
    gapMs: [7_000, 17_000],
    fileSize: [6 * MiB, 16 * MiB],
    bytesPerSecondOfClient: 0.5 * MiB,
  },
};

const DOWN_MS = [1_000, 8_000] as const;
/** Servers that are killed together are not killed at the same instant. */
const TOGETHER_MS = [0, 400] as const;

/** Plans which server is killed when: the same seed gives the same plan. How far the uploads are at that moment depends on this host. */
export function planStrikes(mode: Mode, seed: number, lastMs: number): Strike[] {
  const { groups, gapMs } = STYLES[mode];
  const random = createRandom(`strikes ${seed}`);
  const strikes: Strike[] = [];
  for (let atMs = random.between(gapMs); atMs < lastMs; atMs += random.between(gapMs)) {
    const victims = random.shuffled(random.oneOf(groups)).map((victim, place) => ({
      victim,
      afterMs: place === 0 ? 0 : random.between(TOGETHER_MS),
      downMs: random.between(DOWN_MS),
    }));
    strikes.push({ atMs, victims });
  }
  return strikes;
}

/** Plans one of the uploads that a client makes one after another. */
export function planUpload(mode: Mode, seed: number, client: number, turn: number): PlannedUpload {
  const fileName = `client-${String(client).padStart(2, '0')}-file-${String(turn).padStart(3, '0')}.bin`;
  return { fileName, size: createRandom(`${fileName} ${seed}`).between(STYLES[mode].fileSize) };
}

/** Pseudo-random decisions from the seed (mulberry32, seeded by an FNV-1a hash of the text). */
function createRandom(seed: string) {
  let state = 0x811c9dc5;
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const between = ([least, most]: readonly [number, number]) => least + Math.floor(next() * (most - least + 1));
  const oneOf = <Item>(items: readonly Item[]): Item => items[between([0, items.length - 1])] as Item;
  return {
    between,
    oneOf,
    shuffled<Item>(items: readonly Item[]): Item[] {
      const keyed = items.map((item) => ({ item, order: next() }));
      return keyed.sort((a, b) => a.order - b.order).map(({ item }) => item);
    },
  };
}
