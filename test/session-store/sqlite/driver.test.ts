import { describe, expect, it } from 'vitest';
import { loadSqlite, sqlitePackage } from '../../../src/session-store/sqlite/driver.ts';

describe('sqlitePackage', () => {
  it.each([
    ['9', 'better-sqlite3'], // Node 20, and 22 before 22.14
    ['10', 'better-sqlite3-napi'],
    ['11', 'better-sqlite3-napi'],
    [undefined, 'better-sqlite3'],
  ])('on Node-API %s is %s', (nodeApiVersion, name) => {
    expect(sqlitePackage(nodeApiVersion)).toBe(name);
  });
});

describe('loadSqlite', () => {
  it('says what needs SQLite and how to install it if the package is missing', () => {
    const cause = Object.assign(new Error("Cannot find module 'better-sqlite3'"), { code: 'MODULE_NOT_FOUND' });
    const load = (): never => {
      throw cause;
    };

    expect(() => loadSqlite(load)).toThrow(
      expect.objectContaining({
        name: 'SessionStoreStartError',
        message: expect.stringContaining('is not installed'),
        hint: expect.stringMatching(/Only `partway serve` needs it.*C\+\+ compiler.*install partway again/),
        cause,
      }),
    );
  });

  it('says the same if only the native binary is missing', () => {
    class WithoutBinary {
      constructor() {
        throw new Error('Could not locate the bindings file.');
      }
    }

    expect(() => loadSqlite(() => WithoutBinary)).toThrow('its native binary is not installed');
  });
});
