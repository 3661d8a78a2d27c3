import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { QuickstartSettings } from '../../../src/dev/quickstart/settings.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { sharedMinio } from '../../support/store/minio.ts';

/**
 * Stands in for the CLI, so that a test can choose every outcome; test/e2e tests the real one. `upload` behaves as the name of the file
 * says.
 */
const FAKE_PARTWAY = `
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
const [command, ...args] = process.argv.slice(2);
const file = args.at(-1);
if (command === 'serve') {
  console.log('token ' + process.env.PARTWAY_TOKEN);
  if (process.env.FAKE_SERVE === 'fails') { console.error('no such database'); process.exit(7); }
  writeFileSync(process.env.PARTWAY_DATABASE_URL, String(process.pid));
  writeFileSync(process.env.PARTWAY_DATABASE_URL + '.env', JSON.stringify(process.env));
  createServer((_, response) => response.end()).listen(Number(process.env.PARTWAY_PORT), '127.0.0.1');
} else if (command === 'upload' && file.endsWith('slow.bin')) {
  process.on('SIGINT', () => process.exit(130));
  console.error('sending');
  setInterval(() => {}, 1000);
} else if (command === 'upload') {
  console.log(JSON.stringify({ type: 'progress' }));
  const status = file.endsWith('refused.bin') ? 'failed' : 'completed';
  const bytesSent = file.endsWith('stored.bin') ? 0 : 1048576;
  console.log(JSON.stringify({ type: 'summary', sessionId: 'ses_1', status, bytes: 1048576, bytesSent, seconds: 2 }));
  process.exitCode = status === 'failed' ? 5 : 0;
} else if (command === 'verify') {
  const same = !file.endsWith('different.bin');
  console.log(same ? 'verified ' + args[0] : 'differs');
  process.exitCode = same ? 0 : 6;
}
`;

interface Quickstart {
  readonly root: string;
  /** The quick start's folder in XDG_DATA_HOME. */
  readonly folder: string;
  /** The contents of credentials.json. */
  credentials(): Promise<QuickstartSettings>;
  run(args: string[], env?: NodeJS.ProcessEnv): { child: ChildProcess; output(): string; ended: Promise<number> };
}

/** The program that `npm run quickstart` starts after the build. */
function quickstartScript(): string {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: { quickstart: string } };
  return scripts.quickstart.split(' ').at(-1) ?? '';
}

async function aQuickstart(): Promise<Quickstart> {
  const root = await mkdtemp(join(tmpdir(), 'partway-test-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'bin'));
  for (const folder of ['dist/dev', 'dist/installation']) await cp(resolve(folder), join(root, folder), { recursive: true });
  await symlink(resolve('node_modules'), join(root, 'node_modules'));
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  await writeFile(join(root, 'bin/partway.js'), FAKE_PARTWAY);
  for (const name of ['video.bin', 'stored.bin', 'refused.bin', 'different.bin', 'slow.bin'])
    await writeFile(join(root, name), 'x');
  const folder = join(root, 'data/partway/quickstart');
  return {
    root,
    folder,
    credentials: async () => JSON.parse(await readFile(join(folder, 'credentials.json'), 'utf8')),
    run: (args, env = {}) => {
      const child = spawn(process.execPath, [quickstartScript(), ...args], {
        cwd: root,
        env: { ...process.env, INIT_CWD: root, XDG_DATA_HOME: join(root, 'data'), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      onTestFinished(() => void child.kill('SIGTERM'));
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
      return { child, output: () => output, ended: once(child, 'close').then(([code]) => code as number) };
    },
  };
}

async function isServerAlive({ folder }: Quickstart): Promise<boolean> {
  try {
    return process.kill(Number(await readFile(join(folder, 'partway.db'), 'utf8')), 0);
  } catch {
    return false;
  }
}

describe('npm run quickstart', () => {
  it('uploads, verifies, says where things are, and leaves nothing running', async () => {
    const quickstart = await aQuickstart();
    const run = quickstart.run(['video.bin']);
    expect(await run.ended, run.output()).toBe(0);
    expect(run.output()).toContain('completed: session ses_1, sent 1.0 MiB, in 2.0 s, 0.5 MiB/s');
    expect(run.output()).toContain('verified ses_1');
    expect(run.output()).toContain(join(quickstart.folder, 'credentials.json'));
    expect(await isServerAlive(quickstart)).toBe(false);
  });

  it('shows neither token nor credentials', async () => {
    const quickstart = await aQuickstart();
    const run = quickstart.run(['video.bin']);
    await run.ended;
    const { minio, server } = await quickstart.credentials();
    for (const secret of [minio.secretAccessKey, minio.accessKeyId, server.token]) expect(run.output()).not.toContain(secret);
  });

  it("runs the control plane with a user of its own, and does not pass MinIO's root key on", async () => {
    const quickstart = await aQuickstart();
    const run = quickstart.run(['video.bin']);
    expect(await run.ended, run.output()).toBe(0);
    const { minio, controlPlane } = await quickstart.credentials();
    const env = await readFile(join(quickstart.folder, 'partway.db.env'), 'utf8');
    expect(JSON.parse(env)).toMatchObject({
      PARTWAY_S3_ACCESS_KEY_ID: controlPlane.accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: controlPlane.secretAccessKey,
    });
    expect(env).not.toContain(minio.secretAccessKey);
    expect(run.output()).not.toContain(controlPlane.secretAccessKey);
  });

  it('continues with the folder of an earlier version, which had no such user', async () => {
    const quickstart = await aQuickstart();
    expect(await quickstart.run(['video.bin']).ended).toBe(0);
    const { controlPlane: first, ...earlier } = await quickstart.credentials();
    await writeFile(join(quickstart.folder, 'credentials.json'), JSON.stringify(earlier));
    const run = quickstart.run(['video.bin']);
    expect(await run.ended, run.output()).toBe(0);
    const { controlPlane: second, minio, server } = await quickstart.credentials();
    expect(server).toEqual(earlier.server);
    expect(second).not.toEqual(first);
    expect(minio.accessKeyId).not.toBe(earlier.minio.accessKeyId);
  });

  it('uses the credentials of an endpoint from the environment unchanged', async () => {
    const quickstart = await aQuickstart();
    const root = sharedMinio();
    const run = quickstart.run(['video.bin'], {
      PARTWAY_DEV_S3_ENDPOINT: root.endpoint,
      PARTWAY_DEV_S3_ACCESS_KEY_ID: root.accessKeyId,
      PARTWAY_DEV_S3_SECRET_ACCESS_KEY: root.secretAccessKey,
    });
    expect(await run.ended, run.output()).toBe(0);
    const env = JSON.parse(await readFile(join(quickstart.folder, 'partway.db.env'), 'utf8'));
    expect(env).toMatchObject({ PARTWAY_S3_ACCESS_KEY_ID: root.accessKeyId, PARTWAY_S3_ENDPOINT: root.endpoint });
  });

  it('says that a file is stored already when nothing had to be sent', async () => {
    const run = (await aQuickstart()).run(['stored.bin']);
    expect(await run.ended, run.output()).toBe(0);
    expect(run.output()).toContain('stored already, by session ses_1: nothing had to be sent');
  });

  it.each([
    ['refused.bin', 5, 'The upload did not complete (exit code 5)'],
    ['different.bin', 6, 'completed: session'],
  ])('ends with the exit code of the command that failed: %s', async (file, exitCode, text) => {
    const run = (await aQuickstart()).run([file]);
    expect(await run.ended, run.output()).toBe(exitCode);
    expect(run.output()).toContain(text);
    expect(run.output()).not.toContain('verified');
  });

  it('interrupts the upload on Ctrl-C, stops everything, and says how to continue', async () => {
    const quickstart = await aQuickstart();
    const run = quickstart.run(['slow.bin', '--key', 'a b']);
    run.child.stderr?.on('data', (text: string) => {
      if (text.includes('sending')) run.child.kill('SIGINT');
    });
    expect(await run.ended, run.output()).toBe(130);
    expect(run.output()).toContain("npm run quickstart -- slow.bin --key 'a b'");
    expect(await isServerAlive(quickstart)).toBe(false);
  });

  it('keeps running with --serve until a signal, with a MinIO that answers only pages of its own origins', async () => {
    const quickstart = await aQuickstart();
    const run = quickstart.run(['--serve'], { PARTWAY_CORS_ORIGINS: 'https://app.example.com, http://localhost:5173' });
    await new Promise<void>((resolve) => {
      run.child.stdout?.on('data', () => {
        if (run.output().includes('client.env')) resolve();
      });
      run.child.once('close', () => resolve());
    });
    const { minio, server } = await quickstart.credentials();
    const allowedOf = async (origin: string) => {
      const asked = { origin, 'access-control-request-method': 'PUT' };
      const { headers } = await sendRequest('OPTIONS', `http://127.0.0.1:${minio.port}/uploads/a`, asked);
      return headers['access-control-allow-origin'];
    };
    for (const origin of [`http://127.0.0.1:${server.port}`, 'https://app.example.com', 'http://localhost:5173'])
      expect(await allowedOf(origin)).toBe(origin);
    expect(await allowedOf('https://evil.example')).toBeUndefined();
    const env = await readFile(join(quickstart.folder, 'partway.db.env'), 'utf8');
    expect(JSON.parse(env)).toMatchObject({ PARTWAY_CORS_ORIGINS: 'https://app.example.com, http://localhost:5173' });
    run.child.kill('SIGTERM');
    expect(await run.ended, run.output()).toBe(0);
    expect(run.output()).toContain('until you press Ctrl-C');
    expect(await isServerAlive(quickstart)).toBe(false);
  });

  it('shows the output of a control plane that did not start, without its secrets', async () => {
    const run = (await aQuickstart()).run(['video.bin'], { FAKE_SERVE: 'fails' });
    expect(await run.ended).toBe(1);
    expect(run.output()).toContain('The control plane ended with exit code 7');
    expect(run.output()).toContain('no such database');
    expect(run.output()).toContain('token ***');
  });

  it('refuses a path that is not a file before it starts anything', async () => {
    const run = (await aQuickstart()).run(['missing.bin']);
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(/^\nThere is no file .*missing\.bin\. Check the path/);
  });
});
