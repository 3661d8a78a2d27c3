import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { test } from '../../support/client/cli-test.ts';

const ON_HOST = [
  ['token', 'list'],
  ['token', 'create', '--name', 'camera-1'],
  ['token', 'revoke', 'camera-1'],
  ['events', 'list'],
  ['events', 'replay', '--dead'],
  ['sweep', '--dry-run'],
  ['backup', 'copy.db'],
  ['migrate-store'],
] as const;

describe("a command on the server's host", () => {
  test.for(ON_HOST)('says which setting is wrong, and ends with 2: %s', async (words, { partway }) => {
    const { exitCode, stderr } = await partway([...words], { env: { PARTWAY_DATABASE_URL: 'mysql://db/partway' } });
    expect(exitCode).toBe(2);
    expect(stderr.text).toMatch(/^error: PARTWAY_DATABASE_URL .*\n {2}Set it to the same value as for the server\.\n$/);
  });

  test('says which other setting it cannot read, and ends with 2', async ({ partway, folder }) => {
    const env = { PARTWAY_DATABASE_URL: join(folder, 'partway.db'), PARTWAY_SESSION_TTL: 'soon' };
    const { exitCode, stderr } = await partway(['sweep', '--dry-run'], { env });
    expect(exitCode).toBe(2);
    expect(stderr.text).toMatch(/^error: PARTWAY_SESSION_TTL/);
  });

  test('says that there is no database, and where it looked', async ({ partway, folder }) => {
    const path = join(folder, 'partway.db');
    const { exitCode, stderr } = await partway(['token', 'list'], { env: { PARTWAY_DATABASE_URL: path } });
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain(`error: There is no database at ${path}.\n`);
  });
});

describe('partway serve', () => {
  test('names every setting that is missing, and ends with 2', async ({ partway }) => {
    const { exitCode, stderr } = await partway(['serve'], { env: {} });
    expect(exitCode).toBe(2);
    for (const name of ['PARTWAY_S3_ENDPOINT', 'PARTWAY_S3_BUCKET']) expect(stderr.text).toContain(`error: ${name} `);
    expect(stderr.text).toContain('All settings: partway serve --help');
  });
});
