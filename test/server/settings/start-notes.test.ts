import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Log } from '../../../src/server/core/deps.ts';
import { parseConfig } from '../../../src/server/settings/config.ts';
import { warnOfEarlierFolder } from '../../../src/server/settings/start-notes.ts';
import { aFolder } from '../../support/client/sources.ts';

const needed = {
  PARTWAY_S3_ENDPOINT: 'http://127.0.0.1:9000',
  PARTWAY_S3_BUCKET: 'uploads',
  PARTWAY_S3_ACCESS_KEY_ID: 'access-key',
  PARTWAY_S3_SECRET_ACCESS_KEY: 'secret-key',
  LOCALAPPDATA: '/local',
};

function warningsOf(env: Record<string, string>): object[] {
  const warnings: object[] = [];
  const log: Log = { info() {}, warn: (fields, message) => void warnings.push({ ...fields, message }), error() {} };
  warnOfEarlierFolder(parseConfig({ ...needed, ...env }), log);
  return warnings;
}

/** A path relative to the working directory, as earlier versions took it from XDG_DATA_HOME. */
async function aRelativeFolderWith(...names: string[]): Promise<string> {
  const folder = await aFolder();
  mkdirSync(join(folder, 'partway'));
  for (const name of names) writeFileSync(join(folder, 'partway', name), '');
  return `${'../'.repeat(30)}${folder.slice(1)}`;
}

it('the log says that an earlier folder with a database goes on being used, and names the new one', async () => {
  const earlier = await aRelativeFolderWith('partway.db');
  const [warning, ...more] = warningsOf({ XDG_DATA_HOME: earlier, HOME: '/home/ann' });
  expect(more).toEqual([]);
  expect(warning).toMatchObject({ folder: join(earlier, 'partway'), message: expect.stringContaining('goes on being used') });
  expect(warning).toHaveProperty('newFolder', expect.stringContaining('partway'));
});

it('the log says nothing where settings place the files elsewhere, or the earlier folder holds none', async () => {
  const earlier = await aRelativeFolderWith('partway.db');
  expect(warningsOf({ XDG_DATA_HOME: earlier, HOME: '/home/ann', PARTWAY_DATABASE_URL: '/data/p.db' })).toEqual([]);
  expect(warningsOf({ XDG_DATA_HOME: await aRelativeFolderWith(), HOME: '/home/ann' })).toEqual([]);
});
