import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditLogPath, databaseAt, findDataFolder, locateDatabase } from '../../../src/server/settings/file-locations.ts';
import { aFolder } from '../../support/client/sources.ts';

const linux = { platform: 'linux', homeDirectory: '/home/ann' } as const;
const mac = { platform: 'darwin', homeDirectory: '/Users/ann' } as const;
const windows = { platform: 'win32', homeDirectory: 'C:\\Users\\Ann' } as const;
const [MAC_FOLDER, MAC_EARLIER] = ['/Users/ann/Library/Application Support/partway', '/Users/ann/.local/share/partway'];

const without = () => false;
const with_ = (path: string) => (candidate: string) => candidate === path;

describe('the data folder of a new server', () => {
  it.each([
    [linux, {}, '/home/ann/.local/share/partway'],
    [linux, { HOME: '/srv/partway' }, '/srv/partway/.local/share/partway'],
    [linux, { XDG_DATA_HOME: '/data' }, '/data/partway'],
    [linux, { XDG_DATA_HOME: 'relative' }, '/home/ann/.local/share/partway'],
    [mac, { HOME: '/Users/ann' }, MAC_FOLDER],
    [mac, { XDG_DATA_HOME: '/data' }, '/data/partway'],
    [windows, { LOCALAPPDATA: 'D:\\Local' }, 'D:\\Local\\partway'],
    [windows, {}, 'C:\\Users\\Ann\\AppData\\Local\\partway'],
    [{ ...linux, homeDirectory: undefined }, {}, 'partway'],
  ] as const)('on %o with %o is %s', (host, env, folder) => {
    expect(findDataFolder(env, { ...host, exists: without })).toEqual({ folder, newFolder: undefined });
  });
});

describe('the data folder of a server that an earlier version ran', () => {
  it.each([
    ['with a database', mac, { HOME: '/Users/ann' }, `${MAC_EARLIER}/partway.db`, MAC_FOLDER],
    ['with an audit log alone, beside PostgreSQL', mac, { HOME: '/Users/ann' }, `${MAC_EARLIER}/audit.jsonl`, MAC_FOLDER],
    ['below a relative XDG path', linux, { XDG_DATA_HOME: 'here' }, 'here/partway/partway.db', '/home/ann/.local/share/partway'],
    ['in the working directory, without HOME', linux, {}, 'partway/partway.db', '/home/ann/.local/share/partway'],
    ['on Windows', windows, { LOCALAPPDATA: 'D:\\Local' }, 'partway/partway.db', 'D:\\Local\\partway'],
  ] as const)('%s goes on being used, and the new one is named', (_, host, env, file, newFolder) => {
    const found = findDataFolder(env, { ...host, exists: with_(file) });
    expect(found).toEqual({ folder: dirname(file), newFolder });
    expect(databaseAt(undefined, found)).toEqual({ kind: 'sqlite', path: join(dirname(file), 'partway.db') });
    expect(auditLogPath(undefined, databaseAt('postgres://db/partway', found), found)).toBe(join(dirname(file), 'audit.jsonl'));
  });

  it('is the new one where the earlier one holds neither', () => {
    const exists = with_(`${MAC_EARLIER}/first-token`);
    expect(findDataFolder({ HOME: '/Users/ann' }, { ...mac, exists })).toEqual({ folder: MAC_FOLDER, newFolder: undefined });
  });

  it('is found by the commands on the server’s host as well', async () => {
    const home = await aFolder();
    const earlier = join(home, '.local', 'share', 'partway');
    mkdirSync(earlier, { recursive: true });
    writeFileSync(join(earlier, 'partway.db'), '');
    expect(locateDatabase({ HOME: home })).toEqual({ kind: 'sqlite', path: join(earlier, 'partway.db') });
  });
});
