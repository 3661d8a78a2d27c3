import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bytesSource, ControlPlane, openUpload, runUpload } from '../../src/client/index.ts';
import { describeDatabase } from '../../src/server/settings/file-locations.ts';
import { startServer } from '../../src/server/start-server.ts';
import { createTestDatabase, needsPostgres } from '../support/database/postgres.ts';
import { collectLog, serverConfig } from '../support/server/real-server.ts';
import { createTestBucket, sharedMinio } from '../support/store/minio.ts';

it('the log of a whole upload, with refusals and a store that fails, holds no token, URL, signature or key', async () => {
  const token = `pw_${randomBytes(24).toString('hex')}`;
  const { accessKeyId, secretAccessKey } = sharedMinio();
  const collected = collectLog();
  const start = (bucket: string) => {
    const config = serverConfig(bucket, { PARTWAY_TOKEN: token });
    return startServer(config, collected.log, () => {});
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
  expect(collected.text()).toContain('/parts/presign');
  expect(collected.text()).toContain('BUCKET_NOT_FOUND');
  for (const secret of [token, 'pw_somebody-elses', accessKeyId, secretAccessKey, signature, signingSession, 'X-Amz-']) {
    expect(collected.text().includes(secret), `the log shows ${secret.slice(0, 6)}…`).toBe(false);
  }
});

describe('a server on PostgreSQL', () => {
  needsPostgres();

  it('names the database in its log and answers when it is gone, and never its user and password', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const { password, username } = new URL(database.url);
    const collected = collectLog();
    const config = serverConfig(await createTestBucket(), {
      PARTWAY_TOKEN: 'the-token-of-this-test',
      PARTWAY_DATABASE_URL: database.url,
      PARTWAY_AUDIT_LOG: 'off',
    });
    const server = await startServer(config, collected.log, () => {});
    onTestFinished(() => server.stop());
    const controlPlane = new ControlPlane({ server: server.url, token: 'the-token-of-this-test' });
    expect((await controlPlane.list()).uploads).toEqual([]);
    expect(describeDatabase(config.database)).toContain(new URL(database.url).pathname);

    await database.drop();
    // The answer that the checks of the start got is kept for a second.
    await expect.poll(async () => (await controlPlane.readiness()).ready).toBe(false);
    const answers = await Promise.allSettled([controlPlane.list(), controlPlane.readiness()]);

    expect(answers).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: { ready: false } }]);
    expect(collected.text()).toContain('PostgreSQL');
    for (const secret of [password, `${username}:`])
      expect(`${collected.text()} ${JSON.stringify(answers)} ${describeDatabase(config.database)}`).not.toContain(secret);
  });
});
