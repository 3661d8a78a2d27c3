import { crc32 } from 'node:zlib';
import { describe, expect } from 'vitest';
import { encodeCrc32 } from '../../src/session/crc32.ts';
import { test } from '../support/client/cli-test.ts';
import { aWireSession } from '../support/server/wire-sessions.ts';

const BYTES = Buffer.from('hello, world');
const CHECKSUM = encodeCrc32(crc32(BYTES));

describe('the command line', () => {
  test('prints its version', async ({ partway }) => {
    expect((await partway(['--version'])).stdout.text).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('knows no command by another name', async ({ partway }) => {
    const { exitCode, stderr } = await partway(['uplaod', 'a.mov']);
    expect(exitCode).toBe(2);
    expect(stderr.text).toBe('error: There is no command "uplaod".\n  Did you mean: partway upload\n');
    for (const name of ['constructor', '__proto__', '--']) expect((await partway([name])).exitCode).toBe(2);
  });

  test('is a usage error without arguments', async ({ partway }) => {
    const { exitCode, stdout, stderr } = await partway([]);
    expect([exitCode, stdout.text]).toEqual([2, '']);
    expect(stderr.text).toContain('Usage');
  });

  test('reports a usage error to programs as well', async ({ partway }) => {
    const { stdout } = await partway(['list', '--json', '--al']);
    expect(stdout.jsonLines).toEqual([
      { type: 'error', code: 'USAGE', message: 'There is no flag --al. Did you mean --all?', hint: 'See: partway list --help' },
    ]);
  });

  test('asks for the token before anything else', async ({ server, partway }) => {
    const { exitCode, stderr } = await partway(['list'], { env: { PARTWAY_SERVER: server.url } });
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain('PARTWAY_TOKEN is not set.');
    expect(server.requests).toEqual([]);
  });

  test('says what to check when the server is down', async ({ partway }) => {
    const { exitCode, stderr } = await partway(['list'], { env: { PARTWAY_SERVER: 'http://127.0.0.1:1', PARTWAY_TOKEN: 'x' } });
    expect(exitCode).toBe(5);
    expect(stderr.text).toContain('Check that PARTWAY_SERVER names it');
  });
});

describe('list', () => {
  test('is a table for people', async ({ server, partway }) => {
    server.listed = [
      aWireSession({ storedBytes: 16 * 1024 ** 2 }),
      aWireSession({ sessionId: 'ses_2', key: 'b.mov', status: 'completed', size: 0 }),
    ];
    const { stdout } = await partway(['list']);
    expect(stdout.lines[0]).toMatch(/^SESSION +STATUS +STORED +SIZE +CREATED +KEY$/);
    expect(stdout.lines[1]).toMatch(/^ses_01kaz3v8f6q2m4n7x9y0w5r1td {2}open +10 % {2}160 MiB .* C0142\.MOV$/);
    expect(stdout.lines[2]).toMatch(/^ses_2 +completed +100 % {2}0 bytes .* b\.mov$/);
  });

  test('is one session a line with --json, just as the wire has it', async ({ server, partway }) => {
    server.listed = [aWireSession(), aWireSession({ sessionId: 'ses_2' })];
    expect((await partway(['list', '--json'])).stdout.jsonLines).toEqual(server.listed);
  });

  test('says when there are more', async ({ server, partway }) => {
    server.listed = [aWireSession(), aWireSession({ sessionId: 'ses_2' })];
    const { stdout, stderr } = await partway(['list', '--limit', '1']);
    expect(stdout.lines).toHaveLength(2);
    expect(stderr.text).toBe('There are more: partway list --all\n');
  });

  test('says when there are none', async ({ partway }) => {
    expect((await partway(['list'])).stdout.text).toBe('No upload sessions.\n');
  });
});

describe('status', () => {
  test('shows session and progress', async ({ server, partway }) => {
    server.session = aWireSession({ storedBytes: 48 * 1024 ** 2, partsStored: 3 });
    const { exitCode, stdout } = await partway(['status', server.session.sessionId]);
    expect(exitCode).toBe(0);
    expect(stdout.lines).toEqual(
      expect.arrayContaining(['status      open', 'stored      48.0 of 160 MiB (30 %)', 'parts       3 of 10']),
    );
    expect(stdout.text).toMatch(/parts kept {2}until .* by the store/);
  });

  test('is one JSON object with --json', async ({ server, partway }) => {
    const { stdout } = await partway(['status', server.session.sessionId, '--json']);
    expect(stdout.jsonLines).toMatchObject([{ type: 'status', session: server.session, progress: { partCount: 10 } }]);
  });
});

describe('abort', () => {
  test('says how much was released, and succeeds if there is nothing left', async ({ server, partway }) => {
    server.session = aWireSession({ storedBytes: 48 * 1024 ** 2, partsStored: 3 });
    const { sessionId } = server.session;
    expect((await partway(['abort', sessionId])).stdout.text).toBe(
      `session ${sessionId} is aborted; 48.0 MiB released at the store\n`,
    );
    expect(await partway(['abort', sessionId])).toMatchObject({
      exitCode: 0,
      stdout: { text: `session ${sessionId} was aborted already; it held no parts\n` },
    });
  });

  test('is a conflict when the upload has completed', async ({ server, partway }) => {
    server.session = aWireSession({ status: 'completed' });
    server.refuse('DELETE /api/uploads/{id}', 'SESSION_NOT_OPEN', 'The session is completed.', { sessionStatus: 'completed' });
    expect((await partway(['abort', server.session.sessionId])).exitCode).toBe(8);
  });
});

describe('verify', () => {
  test("compares the file with the store's checksum", async ({ server, partway, makeFile }) => {
    server.session = aWireSession({ status: 'completed', size: BYTES.length, checksum: CHECKSUM });
    const path = await makeFile('a.mov', BYTES);
    const { exitCode, stdout } = await partway(['verify', server.session.sessionId, path]);
    expect(exitCode).toBe(0);
    expect(stdout.text).toBe(`verified ${path} = videos/C0142.MOV  12 bytes  crc32 ${CHECKSUM}\n`);
  });

  test.for([
    ['one byte more', Buffer.from('hello, world!'), 'the file has 13 bytes, the object 12'],
    ['one byte flipped', Buffer.from('hello, World'), "the file's CRC32 is "],
  ] as const)('ends with 10 for a file with %s', async ([, bytes, difference], { server, partway, makeFile }) => {
    server.session = aWireSession({ status: 'completed', size: BYTES.length, checksum: CHECKSUM });
    await makeFile('a.mov', bytes);
    const { exitCode, stderr } = await partway(['verify', server.session.sessionId, 'a.mov']);
    expect(exitCode).toBe(10);
    expect(stderr.text).toContain(difference);
  });

  test('says that the object was not written again since the upload', async ({ server, partway, makeFile }) => {
    server.session = aWireSession({ status: 'completed', size: BYTES.length, checksum: CHECKSUM });
    server.objectChanges = { sinceCompletion: { rewritten: false, sameSize: true, sameChecksum: true } };
    const path = await makeFile('a.mov', BYTES);
    const { stdout } = await partway(['verify', server.session.sessionId, path]);
    expect(stdout.text).toMatch(/^verified .* not written again since the upload\n$/);
  });

  test('ends with 10 for an object that was written again, though size and CRC32 are those of the file', async ({
    server,
    partway,
    makeFile,
  }) => {
    server.session = aWireSession({ status: 'completed', size: BYTES.length, checksum: CHECKSUM });
    server.objectChanges = { sinceCompletion: { rewritten: true, sameSize: true, sameChecksum: true } };
    await makeFile('a.mov', BYTES);
    const { exitCode, stdout, stderr } = await partway(['verify', server.session.sessionId, 'a.mov']);
    expect(exitCode).toBe(10);
    expect(stderr.text).toContain('was written again since the upload completed');
    expect(stdout.text).not.toContain('verified');
  });

  test('verifies nothing without a checksum at the store', async ({ server, partway, makeFile }) => {
    server.session = aWireSession({ status: 'completed', size: BYTES.length, checksum: null });
    await makeFile('a.mov', BYTES);
    expect((await partway(['verify', server.session.sessionId, 'a.mov'])).exitCode).toBe(10);
  });

  test('ends with 10 when there is no object', async ({ server, partway, makeFile }) => {
    server.refuse('GET /api/uploads/{id}/object', 'OBJECT_NOT_FOUND', 'There is no object videos/C0142.MOV.');
    await makeFile('a.mov', BYTES);
    expect((await partway(['verify', server.session.sessionId, 'a.mov'])).exitCode).toBe(10);
  });
});
