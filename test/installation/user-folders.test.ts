import { describe, expect, it } from 'vitest';
import { type FolderKind, type User, userFolder } from '../../src/installation/user-folders.ts';

const linux: User = { platform: 'linux', homeDirectory: '/home/ann', env: {} };
const mac: User = { platform: 'darwin', homeDirectory: '/Users/ann', env: {} };
const windows: User = { platform: 'win32', homeDirectory: 'C:\\Users\\Ann', env: {} };

describe("a user's folder", () => {
  it.each<[FolderKind, User, string]>([
    ['data', linux, '/home/ann/.local/share/partway'],
    ['state', linux, '/home/ann/.local/state/partway'],
    ['cache', linux, '/home/ann/.cache/partway'],
    ['data', mac, '/Users/ann/Library/Application Support/partway'],
    ['state', mac, '/Users/ann/Library/Application Support/partway'],
    ['cache', mac, '/Users/ann/Library/Caches/partway'],
    ['data', windows, 'C:\\Users\\Ann\\AppData\\Local\\partway'],
    ['state', { ...windows, env: { LOCALAPPDATA: 'D:\\Local' } }, 'D:\\Local\\partway'],
  ])('for %s of %o is %s', (kind, user, folder) => {
    expect(userFolder(kind, user)).toBe(folder);
  });

  it.each<[FolderKind, string]>([
    ['data', 'XDG_DATA_HOME'],
    ['state', 'XDG_STATE_HOME'],
    ['cache', 'XDG_CACHE_HOME'],
  ])('for %s is below %s on every platform, if that is an absolute path', (kind, variable) => {
    expect(userFolder(kind, { ...linux, env: { [variable]: '/set' } })).toBe('/set/partway');
    expect(userFolder(kind, { ...mac, env: { [variable]: '/set' } })).toBe('/set/partway');
    expect(userFolder(kind, { ...windows, env: { [variable]: 'D:\\set', LOCALAPPDATA: 'D:\\Local' } })).toBe('D:\\set\\partway');
    for (const user of [linux, mac, windows])
      expect(userFolder(kind, { ...user, env: { [variable]: 'relative/path' } })).toBe(userFolder(kind, user));
  });

  it('is unknown without a home directory', () => {
    expect(userFolder('data', { ...linux, homeDirectory: undefined })).toBeUndefined();
    expect(userFolder('data', { ...linux, homeDirectory: '' })).toBeUndefined();
  });
});
