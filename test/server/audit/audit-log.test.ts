import { appendFileSync, chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditLog, createAuditLog } from '../../../src/server/audit/audit-log.ts';
import type { AuditEvent, AuditLine } from '../../../src/server/audit/event.ts';
import { TestClock } from '../../support/server/control-plane.ts';
import { skipBecause } from '../../support/skip-because.ts';

const MINUTE_MS = 60_000;
const CREATED = {
  event: 'created',
  token: 'camera-van',
  tokenId: 'tok_1',
  address: '192.0.2.7',
  requestId: 'req_1',
  sessionId: 'ses_1',
  bucket: 'videos',
  key: 'a.mov',
  size: 12,
  operation: 'createUpload',
} satisfies AuditEvent;
const REFUSED = { event: 'refused', address: '192.0.2.9', code: 'UNAUTHORIZED' } satisfies AuditEvent;

let folder: string;
let path: string;
let clock: TestClock;
let faults: object[];
let warnings: string[];
let opened: AuditLog[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partway-audit-'));
  path = join(folder, 'data', 'audit.jsonl');
  clock = new TestClock();
  faults = [];
  warnings = [];
  opened = [];
});

afterEach(() => {
  for (const audit of opened) audit.close();
  rmSync(folder, { recursive: true });
});

function open(at = path): AuditLog {
  const log = {
    warn: (_fields: object, message: string) => void warnings.push(message),
    error: (fields: object) => void faults.push(fields),
  };
  const audit = createAuditLog({ path: at, now: clock.now, log });
  opened.push(audit);
  return audit;
}

function lines(): AuditLine[] {
  const text = readFileSync(path, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditLine);
}

describe('the audit log', () => {
  it('is one JSON object a line, with the time, in the order of the events', () => {
    const audit = open();
    audit.record(CREATED);
    clock.advance(1_500);
    audit.record({ event: 'expired', sessionId: 'ses_1' });
    expect(readFileSync(path, 'utf8')).toBe(
      '{"at":"2026-11-23T12:00:00.000Z","event":"created","token":"camera-van","tokenId":"tok_1","address":"192.0.2.7",' +
        '"requestId":"req_1","sessionId":"ses_1","bucket":"videos","key":"a.mov","size":12,"operation":"createUpload"}\n' +
        '{"at":"2026-11-23T12:00:01.500Z","event":"expired","sessionId":"ses_1"}\n',
    );
  });

  it('is for its owner only, as is the folder that is made for it', (context) => {
    if (process.platform === 'win32') skipBecause(context, 'Windows has no such modes');
    open().record(CREATED);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
  });

  it('goes on with what is there, and leaves its mode alone', () => {
    const file = join(folder, 'shipped.jsonl');
    writeFileSync(file, '{"at":"2026-01-01T00:00:00.000Z","event":"aborted"}\n', { mode: 0o640 });
    const before = statSync(file).mode;
    open(file).record(CREATED);
    expect(readFileSync(file, 'utf8')).toMatch(/^\{"at":"2026-01-01T00:00:00.000Z","event":"aborted"\}\n\{"at":"2026-11-23T/);
    expect(statSync(file).mode).toBe(before);
  });

  it('ends a line that a power cut left unfinished', () => {
    open().close();
    appendFileSync(path, '{"at":"2026-01-0');
    open().record(CREATED);
    expect(readFileSync(path, 'utf8')).toMatch(/^\{"at":"2026-01-0\n\{"at":"2026-11-23T12:00:00.000Z",/);
  });

  it('writes at the end also where something else shortened the file, as copytruncate does', () => {
    const audit = open();
    audit.record(CREATED);
    writeFileSync(path, '');
    audit.record({ ...CREATED, size: 13 });
    expect(lines()).toMatchObject([{ size: 13 }]);
  });

  it('goes on in a new file after logrotate moved the old one away', () => {
    const audit = open();
    audit.record({ ...CREATED, size: 1 });
    renameSync(path, `${path}.1`);
    audit.record({ ...CREATED, size: 2 });
    audit.reopen();
    audit.record({ ...CREATED, size: 3 });
    expect(readFileSync(`${path}.1`, 'utf8').match(/"size":\d/g)).toEqual(['"size":1', '"size":2']);
    expect(lines()).toMatchObject([{ size: 3 }]);
  });

  it('stays with the old file where the new one cannot be opened, and says so', () => {
    const audit = open();
    renameSync(join(folder, 'data'), join(folder, 'moved'));
    audit.reopen();
    audit.record(CREATED);
    expect(faults).toMatchObject([{ path, err: { code: 'ENOENT' } }]);
    expect(readFileSync(join(folder, 'moved', 'audit.jsonl'), 'utf8')).toContain('"event":"created"');
  });

  it.each([
    ['line breaks', 'a\r\nb\u2028c\u2029d\u0085e'],
    ['terminal commands', '\x1b[2J\x9b31m\x07\x7f'],
    ['bidirectional overrides and what has no width', 'exe.\u202egpj\u2066\u200b\ufeff\u{e0041}'],
    ['halves of surrogate pairs', '\ud800 \udfff'],
    ['quotes', '"},{"event":"completed'],
  ])('keeps a key with %s on one line of ASCII and letters', (_, key) => {
    open().record({ ...CREATED, key });
    const text = readFileSync(path, 'utf8');
    expect(text).toMatch(/^\{[^\p{C}\p{Zl}\p{Zp}]*\}\n$/u);
    expect(JSON.parse(text)).toMatchObject({ key, event: 'created' });
  });

  it('writes only what an event has, whatever else comes along with it', () => {
    const withMore = { ...CREATED, authorization: 'Bearer pw_secret', event: 'created' } as const;
    open().record(withMore);
    expect(readFileSync(path, 'utf8')).not.toContain('secret');
  });

  it('cuts texts that are longer than any name', () => {
    open().record({ ...CREATED, key: 'k'.repeat(1_000_000) });
    expect(lines()[0]?.key).toHaveLength(2_048);
  });

  it('logs an event that cannot be written, and fails no request', (context) => {
    if (process.platform !== 'linux') skipBecause(context, 'needs /dev/full');
    const audit = open('/dev/full');
    audit.record(CREATED);
    expect(faults).toMatchObject([
      { path: '/dev/full', err: { code: 'ENOSPC' }, event: { event: 'created', sessionId: 'ses_1' } },
    ]);
  });

  it('logs events that come after its end', () => {
    const audit = open();
    audit.close();
    audit.record(CREATED);
    expect(faults).toMatchObject([{ event: { event: 'created' } }]);
    expect(lines()).toEqual([]);
  });

  it('says which file cannot be opened, and what to set', () => {
    writeFileSync(join(folder, 'in-the-way'), '');
    const within = join(folder, 'in-the-way', 'audit.jsonl');
    expect(() => open(within)).toThrow(`The audit log ${within} cannot be opened: `);
    expect(() => open(within)).toThrow('PARTWAY_AUDIT_LOG');
  });
});

describe('a flood of refusals', () => {
  it('is written 60 times a minute, then counted, and the count follows with the next event', () => {
    const audit = open();
    for (let count = 0; count < 1_000; count++) audit.record(REFUSED);
    expect(lines()).toHaveLength(60);
    expect(lines().filter(({ furtherLeftOut }) => furtherLeftOut)).toEqual([lines().at(-1)]);
    clock.advance(MINUTE_MS);
    audit.record(CREATED);
    expect(lines().slice(60)).toMatchObject([{ event: 'refused', address: '192.0.2.9', leftOut: 940 }, { event: 'created' }]);
    audit.record(REFUSED);
    expect(lines().at(-1)).toEqual({ at: '2026-11-23T12:01:00.000Z', ...REFUSED });
  });

  it('drops nothing but refusals, and nothing of other tokens and addresses', () => {
    const audit = open();
    for (let count = 0; count < 100; count++) audit.record(REFUSED);
    audit.record({ ...REFUSED, address: '192.0.2.10' });
    audit.record({ ...REFUSED, tokenId: 'tok_1', token: 'camera-van' });
    for (let count = 0; count < 100; count++) audit.record({ ...CREATED, address: REFUSED.address });
    expect(lines()).toHaveLength(60 + 2 + 100);
  });

  it('from ever more addresses shares one limit in the end', () => {
    const audit = open();
    for (let count = 0; count < 5_000; count++)
      audit.record({ ...REFUSED, address: `10.0.${Math.floor(count / 250)}.${count % 250}` });
    expect(lines()).toHaveLength(200 + 60);
    audit.close();
    expect(lines().at(-1)).toEqual({ at: '2026-11-23T12:00:00.000Z', event: 'refused', leftOut: 5_000 - 260 });
  });

  it('from the addresses of one IPv6 subnet does not hide what others are refused', () => {
    const audit = open();
    for (let count = 0; count < 5_000; count++) audit.record({ ...REFUSED, address: `2001:db8::${count.toString(16)}` });
    audit.record({ ...REFUSED, address: '192.0.2.10', code: 'KEY_NOT_ALLOWED', token: 'camera-van', tokenId: 'tok_1' });
    expect(lines().at(-1)).toMatchObject({ address: '192.0.2.10', token: 'camera-van' });
  });

  it('is counted in full when the log is closed', () => {
    const audit = open();
    for (let count = 0; count < 61; count++) audit.record(REFUSED);
    audit.close();
    expect(lines().at(-1)).toMatchObject({ event: 'refused', address: '192.0.2.9', leftOut: 1 });
  });

  it('is not dropped for longer than a minute where the clock is set back', () => {
    const audit = open();
    for (let count = 0; count < 61; count++) audit.record(REFUSED);
    clock.advance(-3_600_000);
    audit.record(REFUSED);
    expect(lines().slice(60)).toMatchObject([{ leftOut: 1 }, { code: 'UNAUTHORIZED' }]);
  });
});

describe('an audit log that others may read or change', () => {
  it.for<[string, number, number, RegExp]>([
    ['anyone may write', 0o666, 0o755, /^others may change the audit log \(mode 0666\): chmod 600 /],
    ['its group may write', 0o660, 0o755, /^others may change the audit log \(mode 0660\)/],
    ['anyone may read', 0o644, 0o755, /^others may read the audit log \(mode 0644\): chmod 600 /],
    ['anyone may write in its folder', 0o600, 0o777, /^others may replace the audit log, .* \(mode 0777\): chmod o-w /],
  ])('is reported at the start, and again after a reopen: %s', ([, mode, folderMode, text], context) => {
    if (process.platform === 'win32') skipBecause(context, 'Windows has no such modes');
    open();
    expect(warnings).toEqual([]);
    chmodSync(path, mode);
    chmodSync(join(folder, 'data'), folderMode);
    const audit = open();
    expect(warnings).toEqual([expect.stringMatching(text)]);
    audit.reopen();
    expect(warnings).toHaveLength(2);
    // It is the administrator's file: nothing is changed about it.
    expect(statSync(path).mode & 0o777).toBe(mode);
  });

  it.for<[string, number, number]>([
    ['its group may read, as log shippers need', 0o640, 0o750],
    ['its folder is like /tmp', 0o600, 0o1777],
  ])('is not reported where %s', ([, mode, folderMode], context) => {
    if (process.platform === 'win32') skipBecause(context, 'Windows has no such modes');
    open();
    chmodSync(path, mode);
    chmodSync(join(folder, 'data'), folderMode);
    open();
    expect(warnings).toEqual([]);
  });
});
