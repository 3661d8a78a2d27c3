import { randomFillSync } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect } from 'vitest';
import { formatShare, formatSize } from '../../../src/cli/format/sizes.ts';
import type { JournalEntry } from '../../../src/cli/journal/journal-entry.ts';
import { createRequest } from '../../../src/contract/schemas.ts';
import type { Session } from '../../../src/contract/wire.ts';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { aContext } from '../../support/client/cli-run.ts';
import { test } from '../../support/client/cli-test.ts';
import { needsChangeTime } from '../../support/files/file-systems.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

const SMALL = Buffer.from('hello, world');
/** Three parts, the last one short. */
const PARTS = { size: 12 * MiB, partSize: 5 * MiB, partCount: 3, strategy: 'multipart' } as const;
/** More parts than the engine prepares at once, so that an interruption at the first leaves some unsent. */
const MANY_PARTS = { ...PARTS, size: 52 * MiB, partCount: 11 };
const CRC = (bytes: Uint8Array) => encodeCrc32(crc32(bytes));

function aSmallSession(fileName = 'a.mov') {
  return aWireSession({ fileName, key: fileName, size: SMALL.length, strategy: 'single', partSize: SMALL.length, partCount: 1 });
}

function someBytes(size: number): Buffer {
  return randomFillSync(Buffer.alloc(size));
}

describe('a store that does not show checksums of parts', () => {
  test('gets one part once, and the command says what the store lacks', async ({ server, partway, makeFile }) => {
    server.session = aSmallSession();
    server.showsChecksums = false;
    server.refuse('POST /api/uploads/{id}/complete', 'PARTS_MISSING', '1 of 1 parts are not stored as planned.', {
      missing: [{ first: 1, last: 1 }],
    });
    await makeFile('a.mov', SMALL);
    const { exitCode, stderr } = await partway(['upload', 'a.mov']);
    expect(exitCode).toBe(7);
    expect(stderr.text).toContain('error: The object store has part 1 and does not show its CRC32');
    expect(server.requests.filter((request) => request.startsWith('PUT '))).toHaveLength(1);
  });

  test('is noticed with the first of many parts', async ({ server, partway, makeFile }) => {
    server.session = aWireSession(MANY_PARTS);
    server.showsChecksums = false;
    await makeFile('a.mov', someBytes(MANY_PARTS.size));
    const { exitCode, stdout } = await partway(['upload', 'a.mov', '--json', '--concurrency', '1', '--limit', '40MiB']);
    expect(exitCode).toBe(7);
    expect(stdout.jsonLines.at(-1)).toMatchObject({ type: 'error', code: 'STORE_UNSUITABLE' });
    expect(server.parts.size).toBeLessThan(MANY_PARTS.partCount);
    expect(server.requests).not.toContain('POST /api/uploads/{id}/complete');
  });
});

describe('upload', () => {
  test('sends the file, says so on stdout, and remembers it', async ({ server, partway, makeFile, folder }) => {
    server.session = aSmallSession();
    await makeFile('a.mov', SMALL);
    const { exitCode, stdout, stderr } = await partway(['upload', 'a.mov']);
    expect(stderr.text).toContain('strategy: single (one part), because the file is smaller than 100 MB');
    expect(exitCode).toBe(0);
    expect(stdout.text).toMatch(
      /^uploaded a\.mov → videos\/a\.mov {2}12 bytes in [\d.]+ s .*session ses_01kaz3v8f6q2m4n7x9y0w5r1td {2}crc32 /,
    );
    expect(server.content).toEqual(SMALL);
    expect(server.bodies.get('POST /api/uploads')).toMatchObject({
      fileName: 'a.mov',
      contentType: 'video/quicktime',
      strategy: 'single',
      overwrite: false,
    });
    expect(await readdir(join(folder, 'state', 'partway', 'uploads'))).toEqual([`${server.session.sessionId}.json`]);
  });

  test('writes JSON only on stdout with --json, the last line a summary', async ({ server, partway, makeFile }) => {
    server.session = aWireSession(PARTS);
    const bytes = someBytes(PARTS.size);
    await makeFile('a.mov', bytes);
    const { exitCode, stdout } = await partway(['upload', 'a.mov', '--json', '--quiet', '--key', 'k', '--part-size', '5MiB']);
    expect(exitCode).toBe(0);
    const lines = stdout.jsonLines;
    expect(lines.slice(0, 2).map(({ type }) => type)).toEqual(['session', 'strategy']);
    expect(lines.filter(({ type }) => type === 'part')).toHaveLength(3);
    expect(lines.at(-1)).toMatchObject({
      type: 'summary',
      status: 'completed',
      bytes: PARTS.size,
      bytesSent: PARTS.size,
      checksum: CRC(bytes),
    });
    expect(server.bodies.get('POST /api/uploads')).toMatchObject({ key: 'k', partSize: 5 * MiB, strategy: 'multipart' });
  });

  test.for<[string, Partial<Session>, string]>([
    ['CRC32', { checksum: 'AAAAAA==' }, `its CRC32 is AAAAAA==, not ${CRC(SMALL)}`],
    ['size', { size: 13, partSize: 13 }, 'its size is 13, not 12'],
    ['session', { sessionId: 'ses_other' }, 'its session is ses_other, not ses_01kaz3v8f6q2m4n7x9y0w5r1td'],
    ['key', { key: 'b.mov' }, 'its key is b.mov, not a.mov'],
    ['status', { status: 'open' }, 'its status is open, not completed'],
    ['CRC32, which is missing,', { checksum: null }, `its CRC32 is null, not ${CRC(SMALL)}`],
    ['ETag, which is missing,', { etag: null }, 'knows no ETag or no CRC32 of it'],
  ])('never says verified if the server reports another %s', async ([, lie, said], { server, partway, makeFile }) => {
    server.session = aSmallSession();
    server.answeredFalsely = lie;
    const path = await makeFile('a.mov', SMALL);
    const { exitCode, stdout, stderr } = await partway(['upload', 'a.mov']);
    expect(exitCode).toBe(10);
    expect(stdout.text).toBe('');
    expect(stderr.text).toContain(said);
    expect(stderr.text).toContain(`Compare:  partway verify ${server.session.sessionId} '${path}'`);
  });

  test.for<[string, Partial<Session>]>([
    ['CRC32', { checksum: null }],
    ['ETag', { etag: null }],
  ])('never says verified about an earlier completion without %s', async ([, missing], { server, partway, makeFile }) => {
    server.session = { ...aSmallSession(), status: 'completed', etag: '"e"', checksum: CRC(SMALL), ...missing };
    server.isKnown = true;
    await makeFile('a.mov', SMALL);
    const { exitCode, stdout, stderr } = await partway(['upload', 'a.mov']);
    expect({ exitCode, stdout: stdout.text }).toEqual({ exitCode: 10, stdout: '' });
    expect(stderr.text).toMatch(/knows no ETag or no CRC32 of it.*Compare: {2}partway verify ses_/s);
    const resumed = await partway(['resume', server.session.sessionId]);
    expect({ exitCode: resumed.exitCode, stdout: resumed.stdout.text }).toEqual({ exitCode: 10, stdout: '' });
  });

  test('goes on with the next file when one is missing, and ends with its exit code', async ({ server, partway, makeFile }) => {
    server.session = aSmallSession();
    await makeFile('a.mov', SMALL);
    const { exitCode, stdout, stderr } = await partway(['upload', 'nope.mov', 'a.mov']);
    expect(exitCode).toBe(3);
    expect(stdout.lines).toHaveLength(1);
    expect(stderr.text).toContain('error: There is no file ');
    expect(stderr.lines.at(-1)).toBe('1 of 2 files uploaded, 1 failed');
  });

  test('stops at an error that every file would meet', async ({ server, partway, makeFile }) => {
    await makeFile('a.mov', SMALL);
    await makeFile('b.mov', SMALL);
    server.refuse('POST /api/uploads', 'UNAUTHORIZED', 'The token is unknown.');
    const { exitCode, stderr } = await partway(['upload', 'a.mov', 'b.mov']);
    expect(exitCode).toBe(6);
    expect(stderr.lines.at(-1)).toBe('0 of 2 files uploaded, 1 failed, 1 not tried');
    expect(server.requests).toEqual(['POST /api/uploads']);
  });

  test('refuses a directory before anything is sent', async ({ server, partway, folder }) => {
    await mkdir(join(folder, 'card'));
    const { exitCode, stderr } = await partway(['upload', 'card']);
    expect(exitCode).toBe(3);
    expect(stderr.text).toContain('is a directory; partway uploads files');
    expect(server.requests).toEqual([]);
  });

  test.for([
    [['upload'], 'FILE is missing.'],
    [['upload', 'a', 'b', '--key', 'k'], '--key names one object, so it goes with one FILE.'],
    [['upload', 'a', '--key', 'k', '--key-template', '{fileName}'], '--key and --key-template contradict each other.'],
    [['upload', 'a', '--tag', 'camera'], '--tag: "camera" is not name=value.'],
    [['upload', 'a', '--tag', '=A'], '--tag: "=A" is not name=value.'],
    [['upload', 'a', '--tag', 'a=1', '--tag', 'a=2'], '--tag: the name "a" is given twice.'],
    [['upload', 'a', '--tag', 'a=ü'], '--tag: "a=ü" has a character other than letters (A to Z)'],
    [['upload', 'a', '--metadata', 'a b=c'], '--metadata: the name "a b" is not 1 to 64 letters'],
    [['upload', 'a', '--metadata', 'Partway-Session=x'], '--metadata: the name "Partway-Session" is partway\'s own.'],
    [['upload', 'a', '--metadata', 'a=1', '--metadata', 'A=2'], '--metadata: the name "A" is given twice (upper and'],
    [['upload', 'a', '--disposition', 'save'], '--disposition must be one of inline, attachment, not "save".'],
    [['upload', 'a', '--part-size', '16M'], '--part-size: "16M" has an unknown unit.'],
    [['upload', 'a', '--concurrency', '17'], '--concurrency: "17" is not a whole number from 1 to 16.'],
    [['upload', 'a', '--max-outage', 'soon'], '--max-outage: "soon" is not a duration.'],
    [['upload', 'a', '--verify-resume', 'some'], '--verify-resume must be one of full, sample, none, not "some".'],
    [['upload', 'a', '--strategy', 'fast'], '--strategy must be one of single, chunked, multipart, not "fast".'],
  ] as const)('refuses %j', async ([argv, fault], { server, partway }) => {
    const { exitCode, stderr } = await partway(argv);
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain(fault);
    expect(server.requests).toEqual([]);
  });

  test('asks for key, metadata and tags of the object, for each file', async ({ server, partway, makeFile }) => {
    server.session = aSmallSession();
    await makeFile('a.mov', SMALL);
    const names = ['--key-template', '{date}/{fileName}', '--disposition', 'attachment'];
    const carried = ['--metadata', 'shoot=Day 1 = ü', '--tag', 'camera=A', '--metadata=empty=', '--tag', 'reel=2'];
    const { exitCode } = await partway(['upload', 'a.mov', ...names, ...carried]);
    expect(exitCode).toBe(0);
    const request = server.bodies.get('POST /api/uploads');
    expect(request).toMatchObject({
      keyTemplate: '{date}/{fileName}',
      contentDisposition: 'attachment',
      metadata: { shoot: 'Day 1 = ü', empty: '' },
      tags: { camera: 'A', reel: '2' },
    });
    expect(createRequest.safeParse(request).success).toBe(true);
  });

  test('asks for nothing that was not typed', async ({ server, partway, makeFile }) => {
    server.session = aSmallSession();
    await makeFile('a.mov', SMALL);
    await partway(['upload', 'a.mov']);
    const said = Object.keys(server.bodies.get('POST /api/uploads') as object);
    const names = ['contentType', 'contentTypeGuessed', 'fileName', 'fingerprint', 'overwrite', 'size', 'strategy'];
    expect(said.toSorted()).toEqual(names);
  });

  test('says that the strategy is that of the session that exists', async ({ server, partway, makeFile }) => {
    server.session = { ...aSmallSession(), strategy: 'chunked' };
    await makeFile('a.mov', SMALL);
    const { stderr } = await partway(['upload', 'a.mov']);
    expect(stderr.text).toMatch(/^strategy: chunked .*, because the existing session uses it$/m);
  });

  test('says whether a content type was guessed from the extension or asked for', async ({ server, partway, makeFile }) => {
    await makeFile('a.mov', SMALL);
    await partway(['upload', 'a.mov']);
    expect(server.bodies.get('POST /api/uploads')).toMatchObject({ contentType: 'video/quicktime', contentTypeGuessed: true });
    await partway(['upload', 'a.mov', '--content-type', 'video/quicktime']);
    expect(server.bodies.get('POST /api/uploads')).not.toHaveProperty('contentTypeGuessed');
  });

  test('shows what differs from the earlier upload, with the choices', async ({ server, partway, makeFile }) => {
    await makeFile('a.mov', SMALL);
    const hint = 'Leave out --tag to keep the object as it is, or …';
    server.refuse('POST /api/uploads', 'SESSION_ATTRIBUTES_DIFFER', 'with tags {}, not {"a":"b"}.', { sessionId: 'ses_1', hint });
    const { exitCode, stderr } = await partway(['upload', 'a.mov', '--tag', 'a=b']);
    expect(exitCode).toBe(8);
    expect(stderr.text).toContain('error: with tags {}, not {"a":"b"}.');
    expect(stderr.text).toContain(hint);
  });

  test('names all faults of these flags at once', async ({ server, partway }) => {
    const flags = ['--metadata', 'x', '--metadata', 'ü=1', '--tag', 'y', '--part-size', '1M', '--concurrency', '0'];
    const { exitCode, stderr } = await partway(['upload', 'a', ...flags]);
    expect(exitCode).toBe(2);
    expect(stderr.lines.filter((line) => line.startsWith('error: '))).toHaveLength(5);
    expect(server.requests).toEqual([]);
  });

  test('ends with an error object for programs', async ({ server, partway, makeFile }) => {
    await makeFile('a.mov', SMALL);
    server.refuse('POST /api/uploads', 'SESSION_PLAN_DIFFERS', 'It is cut otherwise.', { sessionId: 'ses_other' });
    const { exitCode, stdout } = await partway(['upload', 'a.mov', '--strategy', 'multipart', '--json', '--quiet']);
    expect(exitCode).toBe(8);
    expect(stdout.jsonLines).toEqual([
      {
        type: 'error',
        code: 'SESSION_PLAN_DIFFERS',
        message: 'It is cut otherwise.',
        hint: expect.stringContaining('partway resume ses_other'),
        sessionId: 'ses_other',
      },
    ]);
  });

  test('goes on without a journal that cannot be written', async ({ server, partway, makeFile, folder }) => {
    server.session = aSmallSession();
    await makeFile('a.mov', SMALL);
    await writeFile(join(folder, 'state'), 'in the way');
    const { exitCode, stderr } = await partway(['upload', 'a.mov']);
    expect(exitCode).toBe(0);
    expect(stderr.lines.filter((line) => line.startsWith('warning: the journal'))).toHaveLength(1);
  });

  test('prints the resume line after Ctrl-C, and aborts nothing remotely', async ({ server, partway, makeFile }) => {
    server.session = aWireSession(MANY_PARTS);
    const path = await makeFile('a.mov', someBytes(MANY_PARTS.size));
    const context = aContext();
    server.onPart = (partNumber) => void (partNumber === 1 && context.signals.emit('SIGTERM'));
    const { exitCode, stderr } = await partway(['upload', 'a.mov', '--part-size', '5MiB', '--concurrency', '1'], {
      signals: context.signals,
    });
    expect(exitCode).toBe(143);
    const { length } = server.content;
    expect(length).toBeLessThan(MANY_PARTS.size);
    expect(stderr.lines.at(-1)).toContain(`Interrupted: ${formatShare(length, MANY_PARTS.size)} stored (`);
    expect(stderr.lines.at(-1)).toContain(`).   Resume: partway resume ${server.session.sessionId} `);
    expect(stderr.lines.at(-1)).toContain(`'${path}'   Discard: partway abort ${server.session.sessionId}   Kept until `);
    expect(server.requests.filter((request) => request.startsWith('DELETE'))).toEqual([]);
    expect(context.signals.eventNames()).toEqual([]);
  });
});

describe('resume', () => {
  test('continues with the file that the journal remembers, and vouches for what it sent', async ({
    server,
    partway,
    makeFile,
    folder,
    task,
    skip,
  }) => {
    await needsChangeTime({ task, skip });
    server.session = aWireSession(MANY_PARTS);
    const bytes = someBytes(MANY_PARTS.size);
    await makeFile('a.mov', bytes);
    const context = aContext();
    server.onPart = (partNumber) => void (partNumber === 1 && context.signals.emit('SIGINT'));
    await partway(['upload', 'a.mov', '--part-size', '5MiB', '--concurrency', '1'], { signals: context.signals });
    server.onPart = () => {};
    const storedBytes = server.content.length;
    server.session = { ...server.session, storedBytes, partsStored: server.parts.size };
    const { exitCode, stdout, stderr } = await partway(['resume', server.session.sessionId, '--json'], { workingDirectory: '/' });
    expect(exitCode).toBe(0);
    expect(stderr.text).toContain(`resumed: ${formatSize(storedBytes)} already stored`);
    expect(stdout.jsonLines.at(-1)).toMatchObject({ type: 'summary', bytesSent: MANY_PARTS.size - storedBytes });
    // The parts' checksums were in the journal, so the file was not read again for them.
    expect(stdout.jsonLines.filter(({ type }) => type === 'verifying')).toEqual([]);
    expect(server.content.equals(bytes)).toBe(true);
    expect((await readEntry(folder, server.session.sessionId)).runs.map(({ outcome }) => outcome)).toEqual([
      'interrupted',
      'completed',
    ]);
  });

  test('trusts the store with --verify-resume none, says so, and vouches for none of it later', async ({
    server,
    partway,
    makeFile,
    folder,
    task,
    skip,
  }) => {
    await needsChangeTime({ task, skip });
    server.session = aWireSession(PARTS);
    const bytes = someBytes(PARTS.size);
    const path = await makeFile('a.mov', bytes);
    // Sent by another machine.
    server.parts.set(1, bytes.subarray(0, PARTS.partSize));
    const resume = ['resume', server.session.sessionId, path];
    const first = await partway([...resume, '--verify-resume', 'none', '--json']);
    expect(first.stdout.jsonLines.at(-1)).toMatchObject({ type: 'summary', proof: 'partial', unprovenBytes: PARTS.partSize });
    expect(first.stdout.jsonLines.filter(({ type }) => type === 'verifying')).toEqual([]);
    expect(Object.keys((await readEntry(folder, server.session.sessionId)).checksums)).toEqual(['2', '3']);
    const again = await partway([...resume, '--json']);
    expect(again.stdout.jsonLines.find(({ type }) => type === 'verifying')).toMatchObject({ totalBytes: PARTS.partSize });
    expect(again.stdout.jsonLines.at(-1)).toMatchObject({ type: 'summary', proof: 'full', unprovenBytes: 0 });
  });

  test('compares everything that is stored by default, and says "verified"', async ({ server, partway, makeFile }) => {
    server.session = aWireSession(PARTS);
    const bytes = someBytes(PARTS.size);
    const path = await makeFile('a.mov', bytes);
    server.parts.set(1, bytes.subarray(0, PARTS.partSize));
    const { stdout, stderr } = await partway(['resume', server.session.sessionId, path]);
    expect(stderr.text).toContain('comparing 5.00 MiB of stored parts with the file');
    expect(stdout.text).toMatch(/ {2}crc32 \S+ verified\n$/);
  });

  test('sends nothing to a session other than the one that was asked for', async ({ server, partway, makeFile }) => {
    server.session = aSmallSession();
    const { sessionId } = server.session;
    server.answeredFalsely = { sessionId: 'ses_other' };
    const path = await makeFile('a.mov', SMALL);
    const { exitCode, stderr } = await partway(['resume', sessionId, path]);
    expect(exitCode).toBe(1);
    expect(stderr.text).toContain(`it is about session ses_other, and ${sessionId} was asked for`);
    expect(server.content).toHaveLength(0);
  });

  test('says what to type if this machine does not remember the file', async ({ server, partway }) => {
    const { exitCode, stderr } = await partway(['resume', server.session.sessionId]);
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain(`Say where it is:  partway resume ${server.session.sessionId} FILE`);
  });

  test('needs no file for a session that has completed', async ({ server, partway }) => {
    server.session = aWireSession({ status: 'completed', etag: '"e"', checksum: 'AAAAAA==', expiresAt: null });
    const { exitCode, stdout } = await partway(['resume', server.session.sessionId]);
    expect(exitCode).toBe(0);
    expect(stdout.text).toMatch(/^already uploaded C0142\.MOV .* not proven in full: 160 MiB were not compared with the file\n$/);
  });

  test('compares a file that is named with the object of a completed session', async ({ server, partway, makeFile }) => {
    server.session = { ...aSmallSession(), status: 'completed', etag: '"e"', checksum: CRC(SMALL) };
    await makeFile('a.mov', SMALL);
    await makeFile('b.mov', Buffer.from('hello, World'));
    expect(await partway(['resume', server.session.sessionId, 'a.mov'])).toMatchObject({ exitCode: 0 });
    expect(await partway(['resume', server.session.sessionId, 'b.mov'])).toMatchObject({ exitCode: 4, stdout: { text: '' } });
  });

  test.for(['aborted', 'expired'] as const)('ends with 9 for a session that is %s', async (status, { server, partway }) => {
    server.session = aWireSession({ status });
    const { exitCode, stderr } = await partway(['resume', server.session.sessionId, 'a.mov']);
    expect(exitCode).toBe(9);
    expect(stderr.text).toContain('its parts are deleted');
  });

  test('refuses a file of another size with exit code 4', async ({ server, partway, makeFile }) => {
    server.session = aSmallSession();
    const path = await makeFile('a.mov', SMALL);
    await appendFile(path, '!');
    const { exitCode, stderr } = await partway(['resume', server.session.sessionId, path]);
    expect(exitCode).toBe(4);
    expect(stderr.text).toContain(`Discard:  partway abort ${server.session.sessionId}`);
    expect(server.parts.size).toBe(0);
  });

  test('ends with 9 and names the id for an unknown session', async ({ partway }) => {
    const { exitCode, stdout } = await partway(['resume', 'ses_unknown', 'a.mov', '--json', '--quiet']);
    expect(exitCode).toBe(9);
    expect(stdout.jsonLines).toMatchObject([{ type: 'error', code: 'SESSION_NOT_FOUND', sessionId: 'ses_unknown' }]);
  });
});

async function readEntry(folder: string, sessionId: string): Promise<JournalEntry> {
  return JSON.parse(await readFile(join(folder, 'state', 'partway', 'uploads', `${sessionId}.json`), 'utf8')) as JournalEntry;
}
