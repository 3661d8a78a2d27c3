import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MiB } from '../../../src/session/part-plan.ts';
import { type CliResult, runCli, startCli } from '../../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

describe('tokens, from creation to revocation, while the server runs', () => {
  let folder: string;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket() });
  });
  afterAll(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a command on the server's host, as its administrator. */
  const onServer = (...args: string[]) => runCli(args, { ...controlPlane, env: { ...controlPlane.machineEnv } });
  const as = (token: string, ...args: string[]) => runCli(args, { ...controlPlane, token });

  async function makeToken(...flags: string[]): Promise<string> {
    const { stdout, exitCode, stderr } = await onServer('token', 'create', ...flags);
    expect(exitCode, stderr).toBe(0);
    return stdout.trim();
  }

  function aFile(name: string, size = 100_000): string {
    const path = join(folder, name);
    writeFileSync(path, name);
    truncateSync(path, size);
    return path;
  }

  function expectRefusal(result: CliResult, ...texts: string[]): void {
    expect(result.exitCode, result.stderr).toBe(6);
    for (const text of texts) expect(result.stderr).toContain(text);
  }

  it('a camera can upload only films, only below its prefix, and no more than its quota', async () => {
    const token = await makeToken(
      '--name',
      'camera-1',
      '--prefix',
      'camera-1/',
      '--content-types',
      'video/*',
      '--quota',
      '250kB',
      '--max-size',
      '150kB',
    );

    const { events, exitCode, stderr } = await as(token, 'upload', aFile('one.mov'), '--json');
    expect(exitCode, stderr).toBe(0);
    expect(events.at(-1)).toMatchObject({ type: 'summary', key: 'camera-1/one.mov' });

    expectRefusal(
      await as(token, 'upload', aFile('two.mov'), '--key', 'camera-2/two.mov'),
      'only keys that start with "camera-1/"',
    );
    expectRefusal(await as(token, 'upload', aFile('notes.txt')), 'video/*', '--content-type');
    expectRefusal(await as(token, 'upload', aFile('large.mov', 150_001)), 'up to 150000 bytes');
    expect((await as(token, 'upload', aFile('two.mov'))).exitCode).toBe(0);
    expectRefusal(await as(token, 'upload', aFile('three.mov')), 'of the 250000 bytes of "camera-1", 200000 are used');
    expect((await onServer('token', 'list')).stdout).toMatch(/camera-1\s+upload\s+valid/);
  });

  it('other owners see nothing of an upload, readers see all of it, and none of them may change it', async () => {
    const owner = await makeToken('--name', 'owner');
    const { events } = await as(owner, 'upload', aFile('seen.bin'), '--json');
    const sessionId = String(events.at(-1)?.sessionId);
    const other = await makeToken('--name', 'other');
    const reader = await makeToken('--name', 'reader', '--scope', 'read');

    expect((await as(other, 'status', sessionId)).exitCode).toBe(9);
    expect((await as(other, 'list')).stdout).toBe('No upload sessions.\n');
    expect((await as(reader, 'status', sessionId)).stdout).toContain('completed');
    expect((await as(reader, 'list', '--json')).stdout).toContain(sessionId);
    expectRefusal(await as(reader, 'abort', sessionId), 'may read the session');
    expectRefusal(await as(reader, 'upload', aFile('new.bin')), 'lacks the scope "upload"');
  });

  it('a capability finishes an upload that another client began, with its session id and the file', async () => {
    const owner = await makeToken('--name', 'editor');
    const path = aFile('handed-over.bin', 24 * MiB);
    const running = startCli(['upload', path, '--json', '--strategy', 'chunked', '--limit', '4MiB'], {
      ...controlPlane,
      token: owner,
    });
    const started = await running.event(({ type }) => type === 'session');
    await running.event(({ type, storedBytes }) => type === 'progress' && Number(storedBytes) > 0);
    running.child.kill('SIGKILL');
    await running.finished;
    const { sessionId } = started.session as { sessionId: string };

    const { stdout: capability, stderr: words } = await as(owner, 'grant', sessionId, '--expires', '1h');
    expect(words).toContain(`for the session ${sessionId} alone`);
    expect(capability).toMatch(/^pwc_[\w-]{32}\n$/);

    expectRefusal(await as(capability.trim(), 'upload', aFile('another.bin')), `for the session ${sessionId} and nothing else`);
    const { exitCode, stderr, events } = await as(capability.trim(), 'resume', sessionId, path, '--json');
    expect(exitCode, stderr).toBe(0);
    expect(events.at(-1)).toMatchObject({ type: 'summary', status: 'completed' });
  });

  it('a revoked token ends a running upload with its own error and exit code, and a new token of the same name resumes it', async () => {
    const token = await makeToken('--name', 'laptop');
    const path = aFile('long.bin', 48 * MiB);
    const running = startCli(['upload', path, '--json', '--strategy', 'chunked', '--limit', '4MiB'], { ...controlPlane, token });
    await running.event(({ type, storedBytes }) => type === 'progress' && Number(storedBytes) > 0);

    await onServer('token', 'revoke', 'laptop');

    const { exitCode, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(6);
    expect(stderr).toContain('The token was revoked');
    const { events } = await as(
      await makeToken('--name', 'laptop', '--rotate'),
      'upload',
      path,
      '--json',
      '--strategy',
      'chunked',
    );
    expect(events.at(-1)).toMatchObject({ type: 'summary', status: 'completed' });
    expect(Number(events.at(-1)?.bytesSent)).toBeLessThan(48 * MiB);
  });

  it('the audit log records all of this, by name and address', async () => {
    const { stdout } = await onServer('audit', '--json');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'token-created', token: 'camera-1' }),
        expect.objectContaining({
          event: 'completed',
          token: 'camera-1',
          address: '127.0.0.1',
          key: 'camera-1/one.mov',
          size: 100_000,
        }),
        expect.objectContaining({ event: 'refused', code: 'KEY_NOT_ALLOWED', token: 'camera-1', key: 'camera-2/two.mov' }),
        expect.objectContaining({ event: 'granted', token: 'editor' }),
        expect.objectContaining({ event: 'completed', token: 'editor', tokenId: expect.stringMatching(/^cap_/) }),
        expect.objectContaining({ event: 'token-revoked', token: 'laptop' }),
      ]),
    );
    expect(stdout).not.toMatch(/pwc?_[\w-]{20,}/);
  });
});
