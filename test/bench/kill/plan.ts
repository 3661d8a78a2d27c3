import { MiB } from '../../../src/session/part-plan.ts';

export const MODES = ['replicas', 'single'] as const;
export type Mode = (typeof MODES)[number];

/** What is killed; the names are those of the summary. */
export type Victim = 'replica 1' | 'replica 2' | 'database' | 'control plane' | 'MinIO';

/** One or several killed at nearly the same moment. */
export interface Strike {
  /** Since the beginning. */
  readonly atMs: number;
  readonly victims: readonly { readonly victim: Victim; readonly afterMs: number; readonly downMs: number }[];
}

export interface PlannedUpload {
  /** Also the object's key: no other upload has it. */
  readonly fileName: string;
  readonly size: number;
}

interface Style {
  /** Each as likely as the others. */
  readonly groups: readonly (readonly Victim[])[];
  readonly gapMs: readonly [number, number];
  readonly fileSize: readonly [number, number];
  /** A share of the link to the store, by which an upload takes about a minute. */
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
    // Longer: a part that is on its way when MinIO dies is gone, and some must arrive.
    gapMs: [7_000, 17_000],
    fileSize: [6 * MiB, 16 * MiB],
    bytesPerSecondOfClient: 0.5 * MiB,
  },
};

const DOWN_MS = [1_000, 8_000] as const;
/** Two that die together do not die in the same instant. */
const TOGETHER_MS = [0, 400] as const;

/** Who is killed when: the same for the same seed. How far everybody has come by then is the machine's doing. */
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

/** A client's uploads, one after another. */
export function planUpload(mode: Mode, seed: number, client: number, turn: number): PlannedUpload {
  const fileName = `client-${String(client).padStart(2, '0')}-file-${String(turn).padStart(3, '0')}.bin`;
  return { fileName, size: createRandom(`${fileName} ${seed}`).between(STYLES[mode].fileSize) };
}

/** Decisions that follow from the seed (mulberry32, seeded by an FNV-1a hash of the text). */
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
