import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, describe, expect, vi } from 'vitest';
import { Journal } from '../../src/cli/journal/journal.ts';
import {
  type JournalEntry,
  type JournalRun,
  knownChecksums,
  withLatestRun,
  withRunStarted,
} from '../../src/cli/journal/journal-entry.ts';
import { JournalRecorder } from '../../src/cli/journal/journal-recorder.ts';
import { NOON } from '../support/cli-run.ts';

const DAY_MS = 86_400_000;
const SERVER = 'http://127.0.0.1:7373';
const DEAD_PID = 4_000_001;

function anEntry(overrides: Partial<JournalEntry> = {}): JournalEntry {
  return {
    version: 1,
    server: SERVER,
    sessionId: 'ses_one',
    path: '/cards/C0142.MOV',
    device: 7,
    inode: 4711,
    size: 1000,
    mtimeMs: 123.5,
    partSize: 100,
    checksums: { 1: 'AAAAAA==' },
    runs: [aRun()],
    ...overrides,
  };
}

function aRun(overrides: Partial<JournalRun> = {}): JournalRun {
  return { startedAt: new Date(NOON).toISOString(), outcome: 'completed', pid: DEAD_PID, ...overrides };
}

const test = base.extend<{ directory: string; warnings: string[]; journal: Journal }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of what a fixture needs from this pattern
  directory: async ({}, use) => {
    const parent = await mkdtemp(join(tmpdir(), 'partway-journal-'));
    await use(join(parent, 'uploads'));
    await rm(parent, { recursive: true });
  },
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of what a fixture needs from this pattern
  warnings: async ({}, use) => use([]),
  journal: async ({ directory, warnings }, use) => {
    await use(
      new Journal({ directory, warn: (message) => warnings.push(message), now: () => NOON, isAlive: (pid) => pid !== DEAD_PID }),
    );
  },
});

describe('what is written', () => {
  test('comes back as it was, from a file that nobody else may read', async ({ journal, directory }) => {
    await journal.save(anEntry());
    expect(await journal.read('ses_one')).toEqual(anEntry());
    expect((await stat(join(directory, 'ses_one.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['ses_one.json']);
  });

  test('never leaves the directory, whatever a session id looks like', async ({ journal, warnings }) => {
    expect(await journal.read('../../etc/passwd')).toBeUndefined();
    expect(warnings).toEqual([]);
  });
});

describe('an unusable journal', () => {
  test('that does not exist yet is no news', async ({ journal, warnings }) => {
    expect(await journal.read('ses_one')).toBeUndefined();
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test.for([
    ['no JSON', '{"version":1,'],
    ['another shape', '{"version":1,"runs":"many"}'],
    ['nothing', ''],
  ] as const)('with %s in a file is ignored with one warning', async ([, text], { journal, directory, warnings }) => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'ses_one.json'), text);
    expect(await journal.read('ses_one')).toBeUndefined();
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
    await journal.prune();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('going on without it');
  });

  test('that cannot be written is ignored with one warning', async ({ directory, journal, warnings }) => {
    await writeFile(directory, 'a file where the directory should be');
    await journal.save(anEntry());
    await journal.save(anEntry());
    expect(warnings).toHaveLength(1);
  });
});

describe('latestTrouble', () => {
  test('is the latest run that was interrupted or stalled', async ({ journal }) => {
    const stalledAt = new Date(NOON - 2 * DAY_MS);
    await journal.save(
      anEntry({
        sessionId: 'ses_a',
        runs: [aRun({ outcome: 'interrupted', endedAt: new Date(NOON - 3 * DAY_MS).toISOString() })],
      }),
    );
    await journal.save(
      anEntry({ sessionId: 'ses_b', runs: [aRun({ outcome: 'stalled', endedAt: stalledAt.toISOString() }), aRun()] }),
    );
    expect(await journal.latestTrouble(SERVER)).toEqual({ kind: 'stalled', at: stalledAt });
  });

  test('counts a run whose process is gone as interrupted, and leaves a running one alone', async ({ journal }) => {
    await journal.save(anEntry({ runs: [aRun({ outcome: 'running', pid: process.pid })] }));
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
    await journal.save(anEntry({ runs: [aRun({ outcome: 'running', pid: DEAD_PID })] }));
    expect(await journal.latestTrouble(SERVER)).toEqual({ kind: 'interrupted', at: new Date(NOON) });
  });

  test('forgets after 7 days, and knows nothing of other servers', async ({ journal }) => {
    await journal.save(
      anEntry({
        sessionId: 'ses_a',
        runs: [aRun({ outcome: 'stalled', endedAt: new Date(NOON - 7 * DAY_MS - 1).toISOString() })],
      }),
    );
    await journal.save(anEntry({ sessionId: 'ses_b', server: 'http://elsewhere:7373', runs: [aRun({ outcome: 'stalled' })] }));
    await journal.save(anEntry({ sessionId: 'ses_c', runs: [aRun({ outcome: 'failed' })] }));
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
  });
});

describe('latestSpeed', () => {
  test('is that of the latest run that sent enough to tell', async ({ journal }) => {
    const at = (days: number) => new Date(NOON - days * DAY_MS).toISOString();
    await journal.save(anEntry({ sessionId: 'ses_a', runs: [aRun({ endedAt: at(2), bytesPerSecond: 2_000 }), aRun()] }));
    await journal.save(anEntry({ sessionId: 'ses_b', runs: [aRun({ endedAt: at(1), bytesPerSecond: 1_000 })] }));
    await journal.save(anEntry({ sessionId: 'ses_c', server: 'http://elsewhere:7373', runs: [aRun({ bytesPerSecond: 3_000 })] }));
    expect(await journal.latestSpeed(SERVER)).toBe(1_000);
  });

  test('is forgotten after 7 days', async ({ journal }) => {
    const longAgo = new Date(NOON - 7 * DAY_MS - 1).toISOString();
    await journal.save(anEntry({ runs: [aRun({ endedAt: longAgo, bytesPerSecond: 2_000 })] }));
    expect(await journal.latestSpeed(SERVER)).toBeUndefined();
  });

  test('survives a run that was killed: it is written down with the parts', async ({ journal }) => {
    const recorder = new JournalRecorder(journal, anEntry({ runs: [aRun({ outcome: 'running' })] }), () => NOON);
    recorder.measured(5_000.4);
    recorder.measured(0);
    await recorder.end('interrupted');
    expect(await journal.latestSpeed(SERVER)).toBe(5_000);
  });
});

describe('prune', () => {
  test('forgets completed uploads after 30 days and keeps the others', async ({ journal, directory }) => {
    const longAgo = new Date(NOON - 31 * DAY_MS).toISOString();
    await journal.save(anEntry({ sessionId: 'ses_old', runs: [aRun({ endedAt: longAgo })] }));
    await journal.save(anEntry({ sessionId: 'ses_interrupted', runs: [aRun({ outcome: 'interrupted', endedAt: longAgo })] }));
    await journal.save(anEntry({ sessionId: 'ses_new' }));
    await journal.prune();
    expect((await readdir(directory)).sort()).toEqual(['ses_interrupted.json', 'ses_new.json']);
  });

  test('removes what a crash left half written, and not what is being written now', async ({ journal, directory }) => {
    await journal.save(anEntry());
    for (const [name, age] of [
      ['ses_x.json.1.tmp', 2 * DAY_MS],
      ['ses_y.json.2.tmp', 0],
    ] as const) {
      await writeFile(join(directory, name), '{');
      await utimes(join(directory, name), NOON / 1000, (NOON - age) / 1000);
    }
    await journal.prune();
    expect((await readdir(directory)).sort()).toEqual(['ses_one.json', 'ses_y.json.2.tmp']);
  });
});

describe('knownChecksums', () => {
  const { size, mtimeMs, device, inode } = anEntry();
  const identity = { size, mtimeMs, device, inode };

  test('vouches for the very same file', () => {
    expect(knownChecksums(anEntry(), identity, 100)).toEqual(new Map([[1, 'AAAAAA==']]));
  });

  test.for(['size', 'mtimeMs', 'device', 'inode'] as const)('vouches for nothing when the %s differs', (field) => {
    expect(knownChecksums(anEntry(), { ...identity, [field]: 1 }, 100).size).toBe(0);
  });

  test('vouches for nothing when the parts are cut differently now', () => {
    expect(knownChecksums(anEntry(), identity, 200).size).toBe(0);
  });
});

test('remembers the last 20 runs', () => {
  let entry = anEntry({ runs: [] });
  for (let pid = 1; pid <= 25; pid++)
    entry = withLatestRun(withRunStarted(entry, { pid, startedAt: 'then' }), { outcome: 'failed', endedAt: 'later' });
  expect(entry.runs.map(({ pid }) => pid)).toEqual(Array.from({ length: 20 }, (_, index) => index + 6));
  expect(entry.runs.at(-1)).toEqual({ pid: 25, startedAt: 'then', endedAt: 'later', outcome: 'failed' });
});

describe('JournalRecorder', () => {
  test('forgets the checksums of parts that were cut differently', async ({ journal }) => {
    const recorder = new JournalRecorder(journal, anEntry(), () => NOON);
    recorder.partStored(2, 'AAAAAB==');
    recorder.replanned(50);
    recorder.partStored(1, 'AAAAAC==');
    await recorder.end('completed');
    expect(await journal.read('ses_one')).toMatchObject({ partSize: 50, checksums: { 1: 'AAAAAC==' } });
    expect(Object.keys((await journal.read('ses_one'))?.checksums ?? {})).toEqual(['1']);
  });

  test('writes once a second however many parts are stored, and everything at the end', async ({ journal, directory }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const save = vi.spyOn(journal, 'save');
      const recorder = new JournalRecorder(
        journal,
        withRunStarted(anEntry({ runs: [] }), { pid: 1, startedAt: 'then' }),
        () => NOON,
      );
      for (let partNumber = 1; partNumber <= 500; partNumber++) recorder.partStored(partNumber, `crc${partNumber}`);
      vi.advanceTimersByTime(1_000);
      recorder.partStored(501, 'crc501');
      await recorder.end('completed');
      // The start, one for 500 parts, the end.
      expect(save).toHaveBeenCalledTimes(3);
    } finally {
      vi.useRealTimers();
    }
    const entry = JSON.parse(await readFile(join(directory, 'ses_one.json'), 'utf8')) as JournalEntry;
    expect(entry.checksums[501]).toBe('crc501');
    expect(entry.runs).toEqual([{ pid: 1, startedAt: 'then', outcome: 'completed', endedAt: new Date(NOON).toISOString() }]);
  });
});
