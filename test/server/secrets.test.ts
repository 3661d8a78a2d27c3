import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bytesSource, ControlPlane, openUpload, runUpload } from '../../src/client/index.ts';
import { parseConfig } from '../../src/server/config.ts';
import { describeDatabase } from '../../src/server/file-locations.ts';
import { startServer } from '../../src/server/main.ts';
import { createTestBucket, sharedMinio } from '../support/minio.ts';
import { createTestDatabase, needsPostgres } from '../support/postgres.ts';

it('the log of a whole upload, with refusals and a store that fails, holds no token, URL, signature or key', async () => {
  const token = `pw_${randomBytes(24).toString('hex')}`;
  const { endpoint, accessKeyId, secretAccessKey } = sharedMinio();
  let log = '';
  const sink = new Writable({
    write(line, _encoding, done) {
      log += String(line);
      done();
    },
  });
  const start = (bucket: string) => {
    const config = parseConfig({
      PARTWAY_PORT: '0',
      PARTWAY_TOKEN: token,
      PARTWAY_DATABASE_URL: ':memory:',
      PARTWAY_S3_ENDPOINT: endpoint,
      PARTWAY_S3_BUCKET: bucket,
      PARTWAY_S3_ACCESS_KEY_ID: accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
    });
    return startServer(config, pino({ level: 'trace' }, sink), () => {});
  };
  const source = bytesSource(randomBytes(100_000), 'film.mp4');

  const server = await start(await createTestBucket());
  const controlPlane = new ControlPlane({ server: server.url, token });
  const { session } = await openUpload({ controlPlane, source });
  const { parts } = await controlPlane.presign(session.sessionId, { partNumbers: [1] });
  await runUpload({ controlPlane, session, source });
  await expect(new ControlPlane({ server: server.url, token: 'pw_somebody-elses' }).list()).rejects.toThrow();
  await server.stop();
  const broken = await start('no-such-bucket');
  await expect(openUpload({ controlPlane: new ControlPlane({ server: broken.url, token }), source })).rejects.toThrow();
  await broken.stop();

  const query = new URL(parts[0]?.url ?? '').searchParams;
  const signature = query.get('X-Amz-Signature') ?? '';
  const signingSession = query.get('X-Amz-Security-Token') ?? '';
  expect(signature).toMatch(/^[0-9a-f]{64}$/);
  expect(signingSession.length).toBeGreaterThan(100);
  expect(log).toContain('/parts/presign');
  expect(log).toContain('BUCKET_NOT_FOUND');
  for (const secret of [token, 'pw_somebody-elses', accessKeyId, secretAccessKey, signature, signingSession, 'X-Amz-']) {
    expect(log.includes(secret), `the log shows ${secret.slice(0, 6)}…`).toBe(false);
  }
});

describe('a server on PostgreSQL', () => {
  needsPostgres();

  it('names the database in its log and answers when it is gone, and never its user and password', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const { password, username } = new URL(database.url);
    const { endpoint, accessKeyId, secretAccessKey } = sharedMinio();
    let log = '';
    const sink = new Writable({
      write(line, _encoding, done) {
        log += String(line);
        done();
      },
    });
    const config = parseConfig({
      PARTWAY_PORT: '0',
      PARTWAY_TOKEN: 'the-token-of-this-test',
      PARTWAY_DATABASE_URL: database.url,
      PARTWAY_AUDIT_LOG: 'off',
      PARTWAY_S3_ENDPOINT: endpoint,
      PARTWAY_S3_BUCKET: await createTestBucket(),
      PARTWAY_S3_ACCESS_KEY_ID: accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
    });
    const server = await startServer(config, pino({ level: 'trace' }, sink), () => {});
    onTestFinished(() => server.stop());
    const controlPlane = new ControlPlane({ server: server.url, token: 'the-token-of-this-test' });
    expect((await controlPlane.list()).uploads).toEqual([]);
    expect(describeDatabase(config.database)).toContain(new URL(database.url).pathname);

    await database.drop();
    const answers = await Promise.allSettled([controlPlane.list(), controlPlane.readiness()]);

    expect(answers).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: { ready: false } }]);
    expect(log).toContain('PostgreSQL');
    for (const secret of [password, `${username}:`])
      expect(`${log} ${JSON.stringify(answers)} ${describeDatabase(config.database)}`).not.toContain(secret);
  });
});
