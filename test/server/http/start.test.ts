import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type RunningServer, startServer } from '../../../src/server/start-server.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aFolder } from '../../support/client/sources.ts';
import { aToken } from '../../support/database/sessions.ts';
import { makeCertificate, writeCertificate } from '../../support/network/certificates.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { readProblem } from '../../support/server/control-plane.ts';
import { collectLog, serverConfig } from '../../support/server/real-server.ts';
import { createTestBucket } from '../../support/store/minio.ts';

const TOKEN = 'the-token-of-the-edge-tests';

let folder: string;
let bucket: string;
let collected: ReturnType<typeof collectLog>;
beforeEach(async () => {
  folder = await aFolder();
  bucket = await createTestBucket();
  collected = collectLog();
});

const WARN = 40;
const warnings = () =>
  collected
    .text()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .filter(({ level }) => level >= WARN)
    .map(({ msg }) => msg);
const databasePath = () => join(folder, 'partway.db');

/** Real starts on all addresses of the machine are stopped as soon as the test has seen what it is about. */
async function start(env: Record<string, string> = {}, onFirstToken: (token: string) => void = () => {}): Promise<RunningServer> {
  const config = serverConfig(bucket, { PARTWAY_DATABASE_URL: databasePath(), ...env });
  const server = await startServer(config, collected.log, onFirstToken);
  onTestFinished(() => server.stop());
  return server;
}

describe('a server on all addresses', () => {
  const EVERYWHERE = { PARTWAY_HOST: '0.0.0.0' };

  it('does not start without a token, says what to do, makes no token and leaves no database open', async () => {
    const shown: string[] = [];
    await expect(start(EVERYWHERE, (token) => shown.push(token))).rejects.toMatchObject({
      name: 'ConfigError',
      faults: [expect.stringMatching(/token create.*PARTWAY_TOKEN/)],
    });
    expect(shown).toEqual([]);
    expect(existsSync(`${databasePath()}-wal`)).toBe(false);
  });

  it('starts with the token of the environment, and warns exactly once that it travels in clear text', async () => {
    const server = await start({ ...EVERYWHERE, PARTWAY_TOKEN: TOKEN });
    const url = server.url.replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${url}/api/uploads`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
    await server.stop();
    expect(warnings()).toEqual([expect.stringContaining('clear text')]);
  });

  it('starts with a token in its database', async () => {
    const store = openSqliteStore(databasePath());
    await store.insertToken(aToken());
    await store.close();
    const server = await start(EVERYWHERE);
    await server.stop();
    expect(warnings()).toHaveLength(1);
  });

  it('does not warn with TLS', async () => {
    const { certPath, keyPath } = writeCertificate(folder, makeCertificate('one'));
    const server = await start({ ...EVERYWHERE, PARTWAY_TOKEN: TOKEN, PARTWAY_TLS_CERT: certPath, PARTWAY_TLS_KEY: keyPath });
    await server.stop();
    expect(server.url).toMatch(/^https:/);
    expect(warnings()).toEqual([]);
  });
});

describe('a server on loopback', () => {
  it('starts without a warning, and with a first token', async () => {
    const shown: string[] = [];
    await start({}, (token) => shown.push(token));
    expect(shown).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  it('takes the addresses of clients from its trusted proxies', async () => {
    const server = await start({ PARTWAY_TOKEN: TOKEN, PARTWAY_TRUSTED_PROXIES: 'loopback' });
    const ask = async (client: string, token: string) =>
      (await sendRequest('GET', `${server.url}/api/uploads`, { authorization: `Bearer ${token}`, 'x-forwarded-for': client }))
        .status;
    for (let failure = 0; failure < 10; failure++) expect(await ask('198.51.100.1', 'pw_guess')).toBe(401);
    expect(await ask('198.51.100.1', 'pw_guess')).toBe(429);
    expect(await ask('198.51.100.2', 'pw_guess')).toBe(401);
    // A new process, which has never seen the token from there.
    expect(await ask('198.51.100.1', TOKEN)).toBe(200);
  });

  it('ignores X-Forwarded-For where no proxy is trusted', async () => {
    const server = await start({ PARTWAY_TOKEN: TOKEN });
    const ask = (client: string) =>
      sendRequest('GET', `${server.url}/api/uploads`, { authorization: 'Bearer pw_guess', 'x-forwarded-for': client });
    const statuses = [];
    for (let guess = 0; guess < 11; guess++) statuses.push((await ask(`198.51.100.${guess}`)).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429]);
  });

  it('limits requests and allows origins as its settings say', async () => {
    const origin = 'https://app.example.com';
    const server = await start({ PARTWAY_TOKEN: TOKEN, PARTWAY_RATE_LIMIT: '1', PARTWAY_CORS_ORIGINS: origin });
    const ask = () => fetch(`${server.url}/api/uploads`, { headers: { authorization: `Bearer ${TOKEN}`, origin } });
    const responses = await Promise.all([ask(), ask(), ask(), ask(), ask(), ask()]);
    const refused = responses.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const response of refused) {
      expect(response.headers.get('retry-after')).toBe('1');
      expect(response.headers.get('access-control-allow-origin')).toBe(origin);
      expect(await readProblem(response)).toMatchObject({ code: 'RATE_LIMITED' });
    }
  });
});
