import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import type { TestContext } from '../../support/client/cli-run.ts';
import { test } from '../../support/client/cli-test.ts';
import { createTestDatabase, needsPostgres } from '../../support/database/postgres.ts';
import { insertInStatus } from '../../support/database/sessions.ts';

/** The database and the audit log of a server, in the folder of the test. */
function onServerOf(folder: string): Partial<TestContext> {
  return { env: { LANG: 'C.UTF-8', PARTWAY_DATABASE_URL: join(folder, 'partway.db') } };
}

describe('partway token', () => {
  test('prints only the token to stdout, and its permissions to stderr', async ({ partway, folder }) => {
    const limits = [
      '--prefix',
      'camera-1/',
      '--content-types',
      'video/*,image/png',
      '--max-size',
      '50GB',
      '--quota',
      '2TB',
      '--max-sessions',
      '4',
    ];
    const { exitCode, stdout, stderr } = await partway(
      ['token', 'create', '--name', 'camera-1', ...limits, '--expires', '90d'],
      onServerOf(folder),
    );

    expect(exitCode).toBe(0);
    expect(stdout.text).toMatch(/^pw_[\w-]{32}\n$/);
    for (const word of ['"camera-1": upload', 'keys camera-1/…', 'video/*, image/png', '4 sessions at once', 'shown only now'])
      expect(stderr.text).toContain(word);
    expect(stderr.text).not.toContain(stdout.text.trim());
  });

  test('lists tokens with their state and limits, never their secrets', async ({ partway, folder }) => {
    const { stdout: made } = await partway(
      ['token', 'create', '--name', 'a', '--scope', 'upload,read', '--json'],
      onServerOf(folder),
    );
    const { token, tokenId } = JSON.parse(made.text) as { token: string; tokenId: string };
    await partway(['token', 'create', '--name', 'b', '--prefix', 'b/'], onServerOf(folder));
    await partway(['token', 'revoke', 'b'], onServerOf(folder));

    const table = (await partway(['token', 'list'], onServerOf(folder))).stdout.text;
    expect(table).toMatch(new RegExp(`${tokenId}\\s+a\\s+upload,read\\s+valid`));
    expect(table).toMatch(/\s+b\s+upload\s+revoked.+keys b\/…/);
    const lines = (await partway(['token', 'list', '--json'], onServerOf(folder))).stdout.text;
    expect(JSON.parse(lines.split('\n')[0] ?? '')).toMatchObject({
      tokenId,
      scopes: ['upload', 'read'],
      usage: { openSessions: 0 },
    });
    expect(table + lines).not.toContain(token);
    expect(lines).not.toContain('hash');
  });

  test('writes its actions into the audit log of the server', async ({ partway, folder }) => {
    await partway(['token', 'create', '--name', 'a'], onServerOf(folder));
    await partway(['token', 'revoke', 'a'], onServerOf(folder));

    const { stdout } = await partway(['audit', '--json'], onServerOf(folder));
    const events = stdout.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(events).toMatchObject([
      { event: 'token-created', token: 'a' },
      { event: 'token-revoked', token: 'a' },
    ]);
  });

  test('names all faults at once, and makes no token', async ({ partway, folder }) => {
    const flags = [
      '--name',
      'a b',
      '--scope',
      'root',
      '--quota',
      'much',
      '--content-types',
      'video',
      '--max-sessions',
      '0',
      '--expires',
      'soon',
    ];
    const { exitCode, stderr } = await partway(['token', 'create', ...flags], onServerOf(folder));

    expect(exitCode).toBe(2);
    for (const flag of ['--name', '--scope', '--quota', '--content-types', '--max-sessions', '--expires'])
      expect(stderr.text).toContain(`error: ${flag}`);
    expect((await partway(['token', 'list'], onServerOf(folder))).exitCode).toBe(2);
  });

  test('warns of a prefix without its slash', async ({ partway, folder }) => {
    const { stderr } = await partway(['token', 'create', '--name', 'a', '--prefix', 'team'], onServerOf(folder));
    expect(stderr.text).toContain('"team" covers "team-2/…" as well');
  });

  test('makes no database to list or revoke tokens', async ({ partway, folder }) => {
    for (const words of [['list'], ['revoke', 'a']]) {
      const { exitCode, stderr } = await partway(['token', ...words], onServerOf(folder));
      expect(exitCode).toBe(2);
      expect(stderr.text).toContain(`There is no database at ${join(folder, 'partway.db')}`);
    }
  });

  test.for([[], ['--quota', '2TB'], ['camera-1']])('is a usage error without --name: %j', async (words, { partway, folder }) => {
    const { exitCode, stdout, stderr } = await partway(['token', 'create', ...words], onServerOf(folder));
    expect([exitCode, stdout.text]).toEqual([2, '']);
    expect(stderr.text).toContain('--name is missing (Name of the owner: sessions belong to the name).');
    expect(stderr.text).toContain('See: partway token create --help');
    expect(stderr.text).not.toContain('bug');
  });

  test('revokes with --abort, and says how many sessions end', async ({ partway, folder }) => {
    const server = onServerOf(folder);
    await partway(['token', 'create', '--name', 'camera-1'], server);
    const store = openSqliteStore(join(folder, 'partway.db'));
    const sessionId = await insertInStatus(store, 'open', { owner: 'camera-1' });
    await insertInStatus(store, 'completing', { owner: 'camera-1' });
    await store.close();

    const { exitCode, stdout } = await partway(['token', 'revoke', 'camera-1', '--abort'], server);
    expect(exitCode).toBe(0);
    expect(stdout.text).toMatch(/^revoked tok_\w+ "camera-1"\n1 session aborted: .*\n1 session cannot be stopped: .*\n$/);

    const again = await partway(['token', 'revoke', 'camera-1', '--abort'], server);
    expect(again.stdout.text).toContain('"camera-1" was revoked before\n');
    const after = openSqliteStore(join(folder, 'partway.db'));
    expect((await after.get(sessionId))?.status).toBe('aborting');
    await after.close();
  });

  test('says that a name is taken, and what to do', async ({ partway, folder }) => {
    await partway(['token', 'create', '--name', 'a'], onServerOf(folder));
    const { exitCode, stderr } = await partway(['token', 'create', '--name', 'a'], onServerOf(folder));
    expect(exitCode).toBe(8);
    expect(stderr.text).toContain('--rotate');
    expect((await partway(['token', 'create', '--name', 'a', '--rotate'], onServerOf(folder))).exitCode).toBe(0);
  });

  test.for([[], ['make']])('names its commands for "token %s"', async (words, { partway, folder }) => {
    const { exitCode, stderr } = await partway(['token', ...words], onServerOf(folder));
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain('partway token create, partway token list, partway token revoke');
  });

  test.for(['create', 'list', 'revoke'])('has help for token %s', async (name, { partway }) => {
    for (const argv of [
      ['token', name, '--help'],
      ['help', 'token', name],
    ]) {
      const { exitCode, stdout } = await partway(argv);
      expect(exitCode).toBe(0);
      for (const word of [`partway token ${name}`, 'EXAMPLES', 'PARTWAY_DATABASE_URL']) expect(stdout.text).toContain(word);
    }
  });
});

describe('partway token, for a server on PostgreSQL', () => {
  needsPostgres();

  test('makes and lists tokens in its database', async ({ partway }) => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const onServer = { env: { LANG: 'C.UTF-8', PARTWAY_DATABASE_URL: database.url, PARTWAY_AUDIT_LOG: 'off' } };

    expect((await partway(['token', 'create', '--name', 'camera-1'], onServer)).stderr.text).not.toContain('made a new database');
    expect((await partway(['token', 'list'], onServer)).stdout.text).toContain('camera-1');
  });

  test('says what is wrong with the database, and shows no password', async ({ partway }) => {
    for (const url of [
      'postgres://partway:swordfish@127.0.0.1:1/partway',
      'postgres://partway:sword/fish@db/partway',
      'mysql://u:swordfish@db/x',
    ]) {
      const { exitCode, stderr } = await partway(['token', 'list'], { env: { LANG: 'C.UTF-8', PARTWAY_DATABASE_URL: url } });

      expect(exitCode).toBe(2);
      expect(stderr.text).toContain('PARTWAY_DATABASE_URL');
      expect(stderr.text).not.toContain('fish');
    }
  });
});
