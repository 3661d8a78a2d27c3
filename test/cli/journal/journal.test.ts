import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, describe, expect, vi } from 'vitest';
import { Journal } from '../../../src/cli/journal/journal.ts';
import {
  type JournalEntry,
  type JournalRun,
  knownChecksums,
  withLatestRun,
  withRunStarted,
} from '../../../src/cli/journal/journal-entry.ts';
import { JournalRecorder } from '../../../src/cli/journal/journal-recorder.ts';
import { NOON } from '../../support/client/cli-run.ts';
import { skipBecause } from '../../support/skip-because.ts';

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
    ctimeNs: '1796049667480858125',
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

describe('a saved entry', () => {
  test('is read as it was written, from a file that only this user may read', async ({ journal, directory }) => {
    await journal.save(anEntry());
    expect(await journal.read('ses_one')).toEqual(anEntry());
    expect((await stat(join(directory, 'ses_one.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['ses_one.json']);
  });

  test('never leaves the folder, whatever its session id looks like', async ({ journal, warnings }) => {
    expect(await journal.read('../../etc/passwd')).toBeUndefined();
    expect(warnings).toEqual([]);
  });
});

describe('a damaged entry', () => {
  test.for([
    ['cut', '{"version":1,'],
    ['of another shape', '{"version":1,"runs":"many"}'],
    ['empty', ''],
    ['with a change time that is none', JSON.stringify({ ...anEntry(), ctimeNs: 5 })],
    ['about another session', JSON.stringify(anEntry({ sessionId: 'ses_two' }))],
  ] as const)('that is %s is named, once, and set aside', async ([, text], { journal, directory, warnings }) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, 'ses_one.json'), text);
    expect(await journal.read('ses_one')).toBeUndefined();
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
    await journal.prune();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`ses_one.json was damaged and is ${join(directory, 'ses_one.json.damaged')} now`);
    expect(await readFile(join(directory, 'ses_one.json.damaged'), 'utf8')).toBe(text);
    await journal.save(anEntry());
    expect(await journal.read('ses_one')).toEqual(anEntry());
    expect(warnings).toHaveLength(1);
  });

  test('is removed after 90 days', async ({ journal, directory }) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const [name, days] of [
      ['old.json.damaged', 91],
      ['new.json.damaged', 89],
    ] as const) {
      await writeFile(join(directory, name), '');
      await utimes(join(directory, name), 0, (NOON - days * DAY_MS) / 1_000);
    }
    await journal.prune();
    expect(await readdir(directory)).toEqual(['new.json.damaged']);
  });

  test('is left alone if a newer partway wrote it, which still needs it', async ({ journal, directory, warnings }) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, 'ses_one.json'), '{"version":2,"sessionId":"ses_one"}');
    expect(await journal.read('ses_one')).toBeUndefined();
    expect([await readdir(directory), warnings]).toEqual([['ses_one.json'], []]);
  });
});

describe('a folder that others may write into', () => {
  test.for([
    [0o777, 'uploads'],
    [0o770, 'uploads'],
    [0o777, '.'],
  ] as const)(
    'is told, once, with the way to shut them out: %o',
    async ([mode, which], { directory, warnings, journal, task, skip }) => {
      if (process.platform === 'win32') skipBecause({ task, skip }, 'Windows has no such modes');
      await mkdir(directory, { mode: 0o700 });
      const folder = which === '.' ? join(directory, '..') : directory;
      await chmod(folder, mode);
      await journal.prune();
      await journal.read('ses_one');
      await journal.save(anEntry());
      expect(warnings).toEqual([expect.stringContaining(`to shut them out: chmod go-w '${folder}'`)]);
    },
  );

  test('is not what the journal creates', async ({ journal, warnings }) => {
    await journal.save(anEntry());
    await journal.prune();
    expect(warnings).toEqual([]);
  });
});

describe('a journal without a folder', () => {
  test('remembers nothing, and never fails', async () => {
    const warnings: string[] = [];
    const journal = new Journal({ directory: undefined, warn: (message) => warnings.push(message), now: () => NOON });
    await journal.save(anEntry());
    await journal.prune();
    expect(await journal.read('ses_one')).toBeUndefined();
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
    expect(warnings).toEqual([]);
  });
});

describe('a journal folder', () => {
  test('that does not exist yet causes no warning', async ({ journal, warnings }) => {
    expect(await journal.read('ses_one')).toBeUndefined();
    expect(await journal.latestTrouble(SERVER)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test('that cannot be written is ignored, with one warning', async ({ directory, journal, warnings }) => {
    await writeFile(directory, 'a file where the directory should be');
    await journal.save(anEntry());
    await journal.save(anEntry());
    expect(warnings).toEqual([expect.stringContaining('going on without it')]);
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

  test('ignores runs of more than 7 days ago, and runs to other servers', async ({ journal }) => {
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
  test('is the speed of the latest run that sent enough to measure', async ({ journal }) => {
    const at = (days: number) => new Date(NOON - days * DAY_MS).toISOString();
    await journal.save(anEntry({ sessionId: 'ses_a', runs: [aRun({ endedAt: at(2), bytesPerSecond: 2_000 }), aRun()] }));
    await journal.save(anEntry({ sessionId: 'ses_b', runs: [aRun({ endedAt: at(1), bytesPerSecond: 1_000 })] }));
    await journal.save(anEntry({ sessionId: 'ses_c', server: 'http://elsewhere:7373', runs: [aRun({ bytesPerSecond: 3_000 })] }));
    expect(await journal.latestSpeed(SERVER)).toBe(1_000);
  });

  test('ignores runs of more than 7 days ago', async ({ journal }) => {
    const longAgo = new Date(NOON - 7 * DAY_MS - 1).toISOString();
    await journal.save(anEntry({ runs: [aRun({ endedAt: longAgo, bytesPerSecond: 2_000 })] }));
    expect(await journal.latestSpeed(SERVER)).toBeUndefined();
  });

  test('survives a killed run, because it is saved with the parts', async ({ journal }) => {
    const recorder = new JournalRecorder(journal, anEntry({ runs: [aRun({ outcome: 'running' })] }), () => NOON);
    recorder.measured(5_000.4);
    recorder.measured(0);
    await recorder.end('interrupted');
    expect(await journal.latestSpeed(SERVER)).toBe(5_000);
  });
});

describe('prune', () => {
  test('removes completed uploads after 30 days and keeps the others', async ({ journal, directory }) => {
    const longAgo = new Date(NOON - 31 * DAY_MS).toISOString();
    await journal.save(anEntry({ sessionId: 'ses_old', runs: [aRun({ endedAt: longAgo })] }));
    await journal.save(anEntry({ sessionId: 'ses_interrupted', runs: [aRun({ outcome: 'interrupted', endedAt: longAgo })] }));
    await journal.save(anEntry({ sessionId: 'ses_new' }));
    await journal.prune();
    expect((await readdir(directory)).sort()).toEqual(['ses_interrupted.json', 'ses_new.json']);
  });

  test('removes files that a crash left half written, but not one that is being written now', async ({ journal, directory }) => {
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
  const { size, mtimeMs, ctimeNs = '', device, inode } = anEntry();
  const identity = { size, mtimeMs, ctimeNs, device, inode };

  test('vouches for the very same file', () => {
    expect(knownChecksums(anEntry(), identity, 100)).toEqual(new Map([[1, 'AAAAAA==']]));
  });

  test.for(['size', 'mtimeMs', 'device', 'inode'] as const)('vouches for nothing when the %s differs', (field) => {
    expect(knownChecksums(anEntry(), { ...identity, [field]: 1 }, 100).size).toBe(0);
  });

  test('vouches for nothing when only the change time differs, by a nanosecond', () => {
    expect(knownChecksums(anEntry(), { ...identity, ctimeNs: '1796049667480858126' }, 100).size).toBe(0);
  });

  test('vouches for nothing in entries of earlier versions, or on a file system without a change time', async ({
    journal,
    directory,
  }) => {
    const { ctimeNs: _, ...older } = anEntry();
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'ses_one.json'), JSON.stringify(older));
    const entry = await journal.read('ses_one');
    // It is still good for finding the file.
    expect(entry?.path).toBe('/cards/C0142.MOV');
    expect(knownChecksums(entry, identity, 100).size).toBe(0);
    const { ctimeNs: _none, ...now } = identity;
    expect(knownChecksums(anEntry(), now, 100).size).toBe(0);
    expect(knownChecksums(entry, now, 100).size).toBe(0);
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
  test('drops the checksums of parts of an earlier plan', async ({ journal }) => {
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

describe('an id that cannot be one', () => {
  test('never becomes the name of a file', async ({ journal, directory, warnings }) => {
    const outside = join(directory, '..', 'config.json');
    await writeFile(outside, '{"mine":true}');
    await journal.save(anEntry({ sessionId: '../config' }));
    expect(await readFile(outside, 'utf8')).toBe('{"mine":true}');
    expect(warnings).toEqual([expect.stringContaining('"../config" cannot be the id of an upload session')]);
    expect(await journal.read('../config')).toBeUndefined();
  });

  test('in an entry causes no other file to be removed', async ({ journal, directory }) => {
    const outside = join(directory, '..', 'config.json');
    await mkdir(directory);
    await writeFile(outside, '{"mine":true}');
    const old = aRun({ startedAt: new Date(NOON - 400 * DAY_MS).toISOString() });
    for (const sessionId of ['../config', 'ses_other'])
      await writeFile(join(directory, 'ses_one.json'), JSON.stringify(anEntry({ sessionId, runs: [old] })));
    await journal.save(anEntry({ sessionId: 'ses_other' }));
    await journal.prune();
    expect(await readFile(outside, 'utf8')).toBe('{"mine":true}');
    expect(await journal.read('ses_other')).toBeDefined();
  });
});
