import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createFirstToken } from '../../../src/server/access/auth.ts';
import { atTerminal, firstTokenPath, inFile } from '../../../src/server/access/first-token.ts';
import { noAudit } from '../../../src/server/audit/event.ts';
import { Secret } from '../../../src/server/core/secret.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aFolder } from '../../support/client/sources.ts';
import { NOON } from '../../support/database/sessions.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await aFolder();
  path = join(folder, 'first-token');
});

const modeOf = (file: string) => statSync(file).mode & 0o777;

describe('a first token in a file', () => {
  it('is announced by its path alone, and only its owner may read it', () => {
    const announced: string[] = [];
    const place = inFile(path, (where) => announced.push(where));
    place.keep('pw_swordfish');
    expect(announced).toEqual([]);
    place.announce('pw_swordfish');
    expect(announced).toEqual([path]);
    expect(readFileSync(path, 'utf8')).toBe('pw_swordfish\n');
    if (process.platform !== 'win32') expect(modeOf(path)).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['first-token']);
  });

  it('takes over neither the mode of a file that has the name nor what a link of that name points to', () => {
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'kept');
    symlinkSync(elsewhere, path);
    inFile(path, () => {}).keep('pw_swordfish');
    expect(readFileSync(elsewhere, 'utf8')).toBe('kept');
    writeFileSync(join(folder, 'loose'), '', { mode: 0o666 });
    inFile(join(folder, 'loose'), () => {}).keep('pw_swordfish');
    if (process.platform !== 'win32') expect([modeOf(path), modeOf(join(folder, 'loose'))]).toEqual([0o600, 0o600]);
  });

  it('that cannot be written is not recorded, so that the next start makes another one', async () => {
    const store = openSqliteStore(':memory:');
    mkdirSync(path);
    await expect(createFirstToken(store, noAudit, NOON, inFile(path, () => {}).keep)).rejects.toThrow(
      /EISDIR|EPERM|ENOTEMPTY|EEXIST/,
    );
    expect(await store.listTokens()).toEqual([]);
    expect(await createFirstToken(store, noAudit, NOON)).toMatch(/^pw_/);
  });

  it('that cannot be recorded is removed', () => {
    const place = inFile(path, () => {});
    place.keep('pw_swordfish');
    place.discard();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is beside the SQLite file, or in the data folder', () => {
    expect(firstTokenPath({ kind: 'sqlite', path: '/data/partway.db' }, '/home/ann/partway')).toBe('/data/first-token');
    expect(firstTokenPath({ kind: 'sqlite', path: ':memory:' }, '/home/ann/partway')).toBe('/home/ann/partway/first-token');
    expect(firstTokenPath({ kind: 'postgres', url: new Secret('postgres://db/p') }, '/home/ann/partway')).toBe(
      '/home/ann/partway/first-token',
    );
  });
});

it('a first token at a terminal is written there, once it is recorded', () => {
  let written = '';
  const place = atTerminal((text) => {
    written += text;
  });
  place.keep('pw_swordfish');
  expect(written).toBe('');
  place.announce('pw_swordfish');
  expect(written).toContain('pw_swordfish');
});
