import { once } from 'node:events';
import { chmod, link, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished } from 'vitest';
import { createControlListener } from '../../../src/cli/control/control-listener.ts';
import { createUploadControl } from '../../../src/client/flow/upload-control.ts';
import { aContext, runForTest, type TestContext } from '../../support/client/cli-run.ts';
import { test as base } from '../../support/client/cli-test.ts';

const CAT = { sessionId: 'ses_01kaz3v8f6q2m4n7x9y0w5r1td', fileName: 'cat.mov' };
const DOG = { sessionId: 'ses_vz46bps8cbheqg1w5a7rsxem7c', fileName: 'dog.mov' };

interface Machine {
  /** Overrides that make a context on this machine. */
  readonly place: Partial<TestContext>;
  readonly sockets: string;
  /** Listens as a client that uploads this session. */
  readonly client: (session: typeof CAT) => Promise<{ control: ReturnType<typeof createUploadControl>; stop: () => void }>;
}

const test = base.extend<{ machine: Machine }>({
  machine: async ({ folder }, use) => {
    const place = { env: { LANG: 'C.UTF-8', XDG_STATE_HOME: folder }, temporaryDirectory: folder };
    const stops: (() => void)[] = [];
    await use({
      place,
      sockets: join(folder, 'partway', 'control'),
      client: async (session) => {
        const control = createUploadControl();
        const stop = await createControlListener(aContext(place), control, expect.unreachable)(session);
        stops.push(stop);
        return { control, stop };
      },
    });
    for (const stop of stops) stop();
  },
});

/** Returns the answer of the client at `path` to this line. */
async function answerTo(line: string, path: string): Promise<unknown> {
  const socket = connect(path);
  socket.write(`${line}\n`);
  return JSON.parse(await text(socket));
}

describe('pause and continue', () => {
  test('reach the only upload that runs, without its id', async ({ machine }) => {
    const { control } = await machine.client(CAT);
    const paused = await runForTest(['pause'], machine.place);
    expect(control.paused).toBe(true);
    expect(paused.exitCode).toBe(0);
    expect(paused.stdout.lines).toEqual([
      `paused cat.mov (${CAT.sessionId}); parts on the wire finish`,
      `To go on: partway continue ${CAT.sessionId}`,
    ]);
    const continued = await runForTest(['continue'], machine.place);
    expect(control.paused).toBe(false);
    expect(continued.stdout.text).toBe(`cat.mov (${CAT.sessionId}) goes on\n`);
  });

  test('reach the upload that is named, and no other', async ({ machine }) => {
    const [cat, dog] = [await machine.client(CAT), await machine.client(DOG)];
    const { stdout } = await runForTest(['pause', DOG.sessionId, '--json'], machine.place);
    expect([cat.control.paused, dog.control.paused]).toEqual([false, true]);
    expect(stdout.jsonLines).toEqual([{ type: 'control', ...DOG, paused: true, bytesPerSecond: null }]);
  });

  test('ask which upload is meant if several run', async ({ machine }) => {
    const [cat, dog] = [await machine.client(CAT), await machine.client(DOG)];
    const { exitCode, stderr } = await runForTest(['limit', '2MiB'], machine.place);
    expect(exitCode).toBe(2);
    expect(stderr.lines.slice(0, 2)).toEqual(['error: 2 uploads run on this machine.', '  Say which:']);
    expect(stderr.lines.slice(2).sort()).toEqual([
      `    partway limit ${CAT.sessionId} 2MiB   cat.mov`,
      `    partway limit ${DOG.sessionId} 2MiB   dog.mov`,
    ]);
    expect([cat.control.bytesPerSecond, dog.control.bytesPerSecond]).toEqual([undefined, undefined]);
  });

  test('say what to type if no client runs', async ({ machine }) => {
    const named = await runForTest(['continue', CAT.sessionId], machine.place);
    expect(named.exitCode).toBe(1);
    expect(named.stderr.lines[0]).toBe(`error: No client on this machine uploads session ${CAT.sessionId}.`);
    expect(named.stderr.text).toContain(`Resume:  partway resume ${CAT.sessionId}`);
    const unnamed = await runForTest(['continue', '--json'], machine.place);
    expect(unnamed.stdout.jsonLines).toMatchObject([
      { type: 'error', code: 'CLIENT_NOT_FOUND', hint: expect.stringContaining('partway resume SESSION_ID') },
    ]);
  });

  test('reach all clients of a session, and each of them after another one has ended', async ({ machine }) => {
    const [older, newer] = [await machine.client(CAT), await machine.client(CAT)];
    await runForTest(['pause'], machine.place);
    expect([older.control.paused, newer.control.paused]).toEqual([true, true]);
    older.stop();
    await runForTest(['continue', CAT.sessionId], machine.place);
    expect([older.control.paused, newer.control.paused]).toEqual([true, false]);
  });

  test('say so when a client hangs', async ({ machine }) => {
    const { stop } = await machine.client(CAT);
    const [name = ''] = await readdir(machine.sockets);
    stop();
    const hanging = createServer().listen(join(machine.sockets, name));
    onTestFinished(() => void hanging.close());
    await once(hanging, 'listening');
    const reason = 'on this machine, but it did not take the request: no answer for 3 s.';
    const [named, only] = await Promise.all([
      runForTest(['pause', CAT.sessionId], machine.place),
      runForTest(['pause'], machine.place),
    ]);
    expect([named.exitCode, only.exitCode]).toEqual([1, 1]);
    expect(named.stderr.lines[0]).toBe(`error: A client uploads session ${CAT.sessionId} ${reason}`);
    expect(only.stderr.lines[0]).toBe(`error: A client uploads ${reason}`);
  });
});

describe('limit', () => {
  test('changes the rate, removes it, and shows it', async ({ machine }) => {
    const { control } = await machine.client(CAT);
    const limit = async (...words: string[]) => (await runForTest(['limit', ...words], machine.place)).stdout.text;
    expect(await limit()).toBe(`limit of cat.mov (${CAT.sessionId}): none\n`);
    expect(await limit('8Mbit')).toBe(`limit of cat.mov (${CAT.sessionId}): 977 KiB/s\n`);
    expect(control.bytesPerSecond).toBe(1_000_000);
    expect(await limit(CAT.sessionId, '2MiB')).toContain('2.00 MiB/s');
    control.pause();
    expect(await limit(CAT.sessionId)).toContain('2.00 MiB/s, and paused');
    await limit('none');
    expect(control.bytesPerSecond).toBeUndefined();
  });

  test.for([
    [['8M'], 'unknown unit'],
    [['8'], 'does not say whether it counts bits or bytes'],
    [['10bit'], '"10bit" is slower than 1 KiB/s: no upload would ever finish. Give 1KiB or more.'],
    [['cat.mov', '8Mbit'], '"cat.mov" is not the id of a session'],
  ] as const)('refuses %j before it asks a client', async ([words, fault], { machine }) => {
    const { exitCode, stderr } = await runForTest(['limit', ...words], machine.place);
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain(fault);
  });
});

describe('the socket of an upload', () => {
  test('is open to this user alone, and gone when the upload ends', async ({ machine }) => {
    const { stop } = await machine.client(CAT);
    const [name = ''] = await readdir(machine.sockets);
    expect((await stat(machine.sockets)).mode & 0o777).toBe(0o700);
    expect((await stat(join(machine.sockets, name))).mode & 0o777).toBe(0o600);
    stop();
    expect(await readdir(machine.sockets)).toEqual([]);
  });

  test('of a killed client is removed by the next request and by the next client', async ({ machine }) => {
    const leaveStale = async () => {
      const { stop } = await machine.client(CAT);
      const [name = ''] = await readdir(machine.sockets);
      const path = join(machine.sockets, name);
      // Another name of the same socket outlives its end.
      await link(path, `${path.slice(0, -8)}00000000`);
      stop();
      expect(await readdir(machine.sockets)).toHaveLength(1);
    };
    await leaveStale();
    expect((await runForTest(['pause', CAT.sessionId], machine.place)).exitCode).toBe(1);
    expect(await readdir(machine.sockets)).toEqual([]);
    await leaveStale();
    await machine.client(DOG);
    expect(await readdir(machine.sockets)).toHaveLength(1);
    expect((await runForTest(['pause'], machine.place)).stdout.text).toContain('paused dog.mov');
  });

  test.for([
    'nonsense',
    'null',
    '{"do":"abort"}',
    '{"do":"limit"}',
    '{"do":"limit","bytesPerSecond":0}',
    '{"do":"limit","bytesPerSecond":"8Mbit"}',
  ])('answers %s with what is wrong, and goes on', async (line, { machine }) => {
    const { control } = await machine.client(CAT);
    const [name = ''] = await readdir(machine.sockets);
    expect(await answerTo(line, join(machine.sockets, name))).toEqual({ error: expect.any(String) });
    expect([control.paused, control.bytesPerSecond]).toEqual([false, undefined]);
    expect((await runForTest(['limit'], machine.place)).exitCode).toBe(0);
  });

  test('is in the temporary directory if the path would be too long', async ({ machine, folder }) => {
    const deep = join(folder, 'a-folder-with-a-long-name'.repeat(5));
    const place = { env: { LANG: 'C.UTF-8', XDG_STATE_HOME: deep }, temporaryDirectory: folder };
    const control = createUploadControl();
    const stop = await createControlListener(aContext(place), control, expect.unreachable)(CAT);
    onTestFinished(stop);
    const [beside = ''] = await readdir(folder);
    expect(beside).toMatch(/^partway-[0-9a-f]{12}$/);
    expect((await runForTest(['pause'], place)).exitCode).toBe(0);
    expect(control.paused).toBe(true);
    // Other state, other uploads.
    expect((await runForTest(['pause'], machine.place)).exitCode).toBe(1);
  });

  test('is not opened in a folder that others may write into, with one warning for all files', async ({ machine }) => {
    await mkdir(machine.sockets, { recursive: true });
    await chmod(machine.sockets, 0o777);
    const warnings: string[] = [];
    const listen = createControlListener(aContext(machine.place), createUploadControl(), (message) => warnings.push(message));
    for (const session of [CAT, DOG]) (await listen(session))();
    expect(warnings).toEqual([expect.stringContaining('others may write to')]);
    expect(await readdir(machine.sockets)).toEqual([]);
  });

  test('is missing if there can be no folder, and the upload goes on', async ({ partway, server, makeFile, folder }) => {
    await makeFile('a.mov', Buffer.from('hello, world'));
    await writeFile(join(folder, 'no-folder'), '');
    server.session = { ...server.session, size: 12, strategy: 'single', partSize: 12, partCount: 1, fileName: 'a.mov' };
    const env = { PARTWAY_SERVER: server.url, PARTWAY_TOKEN: 'a-test-token', XDG_STATE_HOME: join(folder, 'no-folder') };
    const { exitCode, stderr } = await partway(['upload', 'a.mov'], { env });
    expect(exitCode).toBe(0);
    expect(stderr.text).toContain('warning: partway pause, continue and limit will not reach this upload (ENOTDIR');
  });
});

describe('a session that is paused in another terminal', () => {
  test('is not taken over by resume, which says how to go on', async ({ machine, partway, server, makeFile }) => {
    const { control } = await machine.client({ ...CAT, sessionId: server.session.sessionId });
    control.pause();
    const path = await makeFile('a.mov', Buffer.alloc(server.session.size));
    const env = { ...machine.place.env, PARTWAY_SERVER: server.url, PARTWAY_TOKEN: 'a-test-token' };
    const { exitCode, stderr } = await partway(['resume', server.session.sessionId, path], { env });
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain('is being uploaded by another partway on this machine, and paused.');
    expect(stderr.lines.at(-1)).toBe(`  To let it go on:  partway continue ${server.session.sessionId}`);
  });
});
