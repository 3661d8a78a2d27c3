import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished } from 'vitest';
import { freePort } from '../../src/dev/process/free-port.ts';
import { aContext, TextCollector } from '../support/client/cli-run.ts';
import { test } from '../support/client/cli-test.ts';
import { aWireSession } from '../support/server/wire-sessions.ts';

const BYTES = Buffer.from('hello, world');
const SESSION = aWireSession({
  fileName: 'a.mov',
  key: 'a.mov',
  size: BYTES.length,
  strategy: 'single',
  partSize: BYTES.length,
  partCount: 1,
});
const CREATE = 'POST /api/uploads';

/** Starts another program at a port: each request gets this answer. */
async function answering(status: number, body: string, port = 0): Promise<{ url: string; server: Server }> {
  const server = createServer((_, response) => response.writeHead(status, { 'content-type': 'text/html' }).end(body));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function environment(folder: string, url: string) {
  return { env: { LANG: 'C.UTF-8', PARTWAY_SERVER: url, PARTWAY_TOKEN: 'a-test-token', XDG_STATE_HOME: `${folder}/state` } };
}

/** Calls back with each piece of text that is written. */
class ListeningCollector extends TextCollector {
  onText: (text: string) => void = () => {};
  override line(text: Parameters<TextCollector['line']>[0]): void {
    super.line(text);
    this.onText(this.text);
  }
}

/** Types Ctrl-C when the first text appears. */
function interruptedAtFirstText() {
  const stderr = new ListeningCollector();
  const { signals } = aContext();
  stderr.onText = () => {
    stderr.onText = () => {};
    signals.emit('SIGINT');
  };
  return { stderr, signals };
}

describe('a batch', () => {
  test('uploads every file although an answer to each create was lost', async ({ server, partway, makeFile }) => {
    for (const name of ['a.mov', 'b.mov', 'c.mov']) await makeFile(name, BYTES);
    server.session = SESSION;
    server.loseAnswers(CREATE, 3);
    const { exitCode, stdout, stderr } = await partway(['upload', 'a.mov', 'b.mov', 'c.mov', '--verify-resume', 'none']);
    expect(exitCode, stderr.text).toBe(0);
    expect(stdout.lines).toHaveLength(3);
    const { idempotencyKeys } = server;
    // The first file was asked for four times, as one upload.
    expect(idempotencyKeys).toHaveLength(6);
    expect(new Set(idempotencyKeys.slice(0, 4)).size).toBe(1);
    expect(new Set(idempotencyKeys).size).toBe(3);
  });

  test('waits if a sign-in page replaces a server that answered before', async ({ server, folder, partway, makeFile }) => {
    for (const name of ['a.mov', 'b.mov']) await makeFile(name, BYTES);
    server.session = SESSION;
    const port = Number(new URL(server.url).port);
    const stdout = new ListeningCollector();
    let isBack: Promise<void> | undefined;
    stdout.onText = () => {
      stdout.onText = () => {};
      isBack = server.stop().then(async () => {
        const page = await answering(200, '<html>Please sign in</html>', port);
        for (let asked = 0; asked < 2; ) {
          const [{ method }] = (await once(page.server, 'request')) as [{ method: string }];
          if (method === 'POST') asked += 1;
        }
        await replace(page.server, () => server.start(port));
      });
    };
    const flags = ['--verify-resume', 'none'];
    const { exitCode, stderr } = await partway(['upload', 'a.mov', 'b.mov', ...flags], {
      ...environment(folder, `http://127.0.0.1:${port}`),
      stdout,
    });
    await isBack;
    expect(exitCode, stderr.text).toBe(0);
    expect(stdout.lines).toHaveLength(2);
  });

  test('lists with --quiet and with --json the files that were not tried', async ({ folder, partway, makeFile }) => {
    for (const name of ['a.mov', 'b.mov', 'c.mov']) await makeFile(name, BYTES);
    const away = environment(folder, `http://127.0.0.1:${await freePort()}`);
    const flags = ['--quiet', '--json', '--max-outage', '0s'];
    const { exitCode, stdout, stderr } = await partway(['upload', 'a.mov', 'b.mov', 'c.mov', ...flags], away);
    expect(exitCode).toBe(5);
    expect(stderr.lines.slice(-2)).toEqual(['not tried: b.mov', 'not tried: c.mov']);
    expect(stdout.jsonLines).toMatchObject([
      { type: 'error', code: 'SERVER_UNREACHABLE' },
      { type: 'not-tried', path: 'b.mov' },
      { type: 'not-tried', path: 'c.mov' },
    ]);
  });
});

describe('a server that is away at first contact', () => {
  test('is given up after --max-outage, with the address and the setting to check', async ({ folder, partway, makeFile }) => {
    await makeFile('a.mov', BYTES);
    const url = `http://127.0.0.1:${await freePort()}`;
    const { exitCode, stderr } = await partway(['upload', 'a.mov', '--max-outage', '1s'], environment(folder, url));
    expect(exitCode).toBe(5);
    expect(stderr.text).toContain(`error: No answer from the partway server at ${url} for `);
    expect(stderr.text).toContain('Check that PARTWAY_SERVER names the server and that `partway serve` runs there');
  });

  test.for([
    ['upload', ['upload', 'a.mov']],
    ['resume', ['resume', SESSION.sessionId, 'a.mov']],
  ] as const)('is waited for by %s, with --quiet too, until Ctrl-C', async ([, argv], { folder, partway, makeFile }) => {
    await makeFile('a.mov', BYTES);
    const url = `http://127.0.0.1:${await freePort()}`;
    const { stderr, signals } = interruptedAtFirstText();
    const { exitCode } = await partway([...argv, '--quiet', '--max-outage', '90m'], {
      ...environment(folder, url),
      stderr,
      signals,
    });
    expect(exitCode).toBe(130);
    expect(stderr.lines[0]).toBe(
      `warning: waiting for the partway server at ${url} (cannot be reached: ECONNREFUSED), for 1 h 30 min at most (--max-outage). Ctrl-C stops; what is stored stays stored. If the address is wrong, stop and set PARTWAY_SERVER.`,
    );
  });

  test('is waited for until Ctrl-C, which says that nothing is being sent', async ({ folder, partway, makeFile }) => {
    await makeFile('a.mov', BYTES);
    const away = environment(folder, `http://127.0.0.1:${await freePort()}`);
    const { stderr, signals } = interruptedAtFirstText();
    const { exitCode } = await partway(['upload', 'a.mov'], { ...away, stderr, signals });
    expect(exitCode).toBe(130);
    expect(stderr.lines).toContain('stopping: nothing is being sent (once more to stop at once)');
    expect(stderr.text).not.toContain('in flight');
  });

  test('is waited for between two files until Ctrl-C twice, which says nothing about the file before', async ({
    server,
    folder,
    partway,
    makeFile,
  }) => {
    for (const name of ['a.mov', 'b.mov']) await makeFile(name, BYTES);
    server.session = SESSION;
    const stdout = new ListeningCollector();
    const stderr = new ListeningCollector();
    const context = aContext();
    let isAway: Promise<void> | undefined;
    stdout.onText = () => {
      isAway ??= server.stop();
    };
    stderr.onText = (text) => {
      if (!text.includes('waiting for')) return;
      stderr.onText = () => {};
      context.signals.emit('SIGINT');
      context.signals.emit('SIGINT');
    };
    const { exits, exit, signals } = context;
    await partway(['upload', 'a.mov', 'b.mov', '--verify-resume', 'none'], {
      ...environment(folder, server.url),
      ...{ stdout, stderr, signals, exit, exits },
    });
    await isAway;
    expect(exits).toEqual([130]);
    expect(stderr.lines).toContain('stopping: nothing is being sent (once more to stop at once)');
    expect(stderr.lines).toContain('Interrupted.');
    expect(stderr.text).not.toContain('Resume: ');
  });

  test('is waited for if a proxy answers 502 for it, and the upload begins when it is back', async ({
    server,
    folder,
    partway,
    makeFile,
  }) => {
    await makeFile('a.mov', BYTES);
    server.session = SESSION;
    const port = Number(new URL(server.url).port);
    await server.stop();
    const proxy = await answering(502, '<html>Bad Gateway</html>', port);
    const stderr = new ListeningCollector();
    let isBack: Promise<void> | undefined;
    stderr.onText = (text) => {
      if (text.includes('waiting for')) isBack ??= replace(proxy.server, () => server.start(port));
    };
    const { exitCode } = await partway(['upload', 'a.mov'], { ...environment(folder, `http://127.0.0.1:${port}`), stderr });
    await isBack;
    expect(exitCode, stderr.text).toBe(0);
    expect(stderr.text).toMatch(/the partway server at http:\S+ answers again after/);
  });

  test.for([
    ['a page', 200],
    ['a redirect', 302],
    ['a log-in of another program', 401],
    ['a missing page', 404],
  ] as const)('ends at once where %s shows that the address is wrong', async ([, status], { folder, partway, makeFile }) => {
    await makeFile('a.mov', BYTES);
    await makeFile('b.mov', BYTES);
    const { url } = await answering(status, '<html>Welcome</html>');
    const { exitCode, stderr } = await partway(['upload', 'a.mov', 'b.mov'], environment(folder, url));
    expect(exitCode).toBe(5);
    expect(stderr.text).toContain(`at ${url} cannot be reached: something there answered HTTP ${status} without being`);
    expect(stderr.text).not.toContain('waiting for');
  });

  test.for([['list'], ['status', SESSION.sessionId], ['verify', SESSION.sessionId, 'a.mov']])(
    'is told at once by %s',
    async (argv, { folder, partway, makeFile }) => {
      await makeFile('a.mov', BYTES);
      const away = environment(folder, `http://127.0.0.1:${await freePort()}`);
      const { exitCode, stderr } = await partway(argv, away);
      expect(exitCode).toBe(5);
      expect(stderr.text).toContain('cannot be reached: ECONNREFUSED');
    },
  );
});

async function replace(server: Server, start: () => Promise<unknown>): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await start();
}
