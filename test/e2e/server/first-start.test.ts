import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { runCli, startCli } from '../../support/client/partway-cli.ts';
import { aFolder } from '../../support/client/sources.ts';

let folder: string;
let env: Record<string, string>;
beforeEach(async () => {
  folder = await aFolder();
  env = {
    PARTWAY_PORT: '0',
    PARTWAY_DATABASE_URL: join(folder, 'partway.db'),
    PARTWAY_S3_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
    PARTWAY_S3_BUCKET: 'uploads',
    PARTWAY_S3_ACCESS_KEY_ID: 'access-key',
    PARTWAY_S3_SECRET_ACCESS_KEY: 'secret-key',
  };
});

/** Starts `partway serve` as a service manager does: without a terminal, and without a token unless the environment has one. */
async function serve(more: Record<string, string> = {}) {
  const { PARTWAY_TOKEN: token = '', ...rest } = more;
  const { child, event, finished } = startCli(['serve'], { server: '', token, env: { ...env, ...withoutToken(token), ...rest } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { url } = await event(({ msg }) => msg === 'listening');
  return {
    url: String(url),
    event,
    async stop() {
      child.kill('SIGTERM');
      return finished;
    },
  };
}

/** Drops the empty variable, which would be an invalid token. */
function withoutToken(token: string): Record<string, string> {
  return token === '' ? ({ PARTWAY_TOKEN: undefined } as unknown as Record<string, string>) : {};
}

const statusOf = async (url: string, token: string) =>
  (await fetch(`${url}/api/uploads`, { headers: { authorization: `Bearer ${token}` } })).status;

describe('partway serve without a terminal', () => {
  it('writes its first token into a file that only its owner can read, logs the path, and never prints the token', async () => {
    const first = await serve();
    const path = join(folder, 'first-token');
    expect(await first.event((line) => line.path === path)).toMatchObject({ msg: expect.stringContaining('first token') });
    const token = readFileSync(path, 'utf8').trim();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await statusOf(first.url, token)).toBe(200);
    const { stdout, stderr } = await first.stop();
    expect(stdout + stderr).not.toContain(token);

    const second = await serve();
    expect(await statusOf(second.url, token)).toBe(200);
    expect((await second.stop()).stdout).not.toContain('first token');
  });

  it('serves although its object store is unreachable, and says so in one line for each check', async () => {
    const server = await serve({ PARTWAY_TOKEN: 'the-token-of-the-first-start' });
    await server.event(({ check }) => check === 'signing');
    await server.event(({ check }) => check === 'bucket');
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    const { exitCode, stdout } = await server.stop();
    expect(exitCode).toBe(0);
    const lines = stdout.split('\n').filter((line) => line.includes('"check":"bucket"'));
    expect(lines).toEqual([
      expect.stringContaining('the object store does not answer. Start it, or correct PARTWAY_S3_ENDPOINT'),
    ]);
    expect(lines[0]).not.toContain('    at ');
  });

  it('ends with 2 if settings are wrong, and names a misspelt one', async () => {
    const { PARTWAY_S3_BUCKET: bucket, ...rest } = env;
    const token = 'the-token-of-the-first-start';
    const { exitCode, stderr } = await runCli(['serve'], {
      server: '',
      token,
      env: { ...rest, PARTWAY_S3_BUKET: String(bucket) },
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('PARTWAY_S3_BUCKET is not set');
    expect(stderr).toContain('Did you mean PARTWAY_S3_BUCKET?');
    expect(existsSync(join(folder, 'partway.db'))).toBe(false);
  });
});
