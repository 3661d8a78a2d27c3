import { expect, it } from 'vitest';
import { startFailureOf } from '../../../src/server/admin/start-failure.ts';
import { ConfigError } from '../../../src/server/core/config-error.ts';
import { SessionStoreUnavailable } from '../../../src/session-store/port/session-store.ts';
import { SessionStoreStartError } from '../../../src/session-store/port/start-error.ts';

it.each([
  ['wrong settings', new ConfigError(['PARTWAY_PORT is not a number.']), 'settings'],
  ['an unusable database', new SessionStoreStartError('It has another schema.', 'Update partway.'), 'database'],
  ['a database that is away', new SessionStoreUnavailable('PostgreSQL cannot be reached.'), 'database-away'],
])('%s are told apart by their class', (_, error, kind) => {
  expect(startFailureOf(error)).toEqual({ kind, error });
});

it.each([
  ['another error', new Error('out of memory')],
  ['an error that only has the name', Object.assign(new Error('no'), { name: 'ConfigError', faults: ['x'] })],
  ['something that is no error', 'no'],
])('%s is none of them', (_, error) => {
  expect(startFailureOf(error)).toBeUndefined();
});
