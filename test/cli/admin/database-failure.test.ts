import { describe, expect, it } from 'vitest';
import { explainingDatabase } from '../../../src/cli/admin/database-failure.ts';
import { ConfigError } from '../../../src/server/core/config-error.ts';
import { SessionStoreStartError } from '../../../src/session-store/port/start-error.ts';
import { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';

const failureOf = (error: Error) => explainingDatabase(() => Promise.reject(error)).catch((failure: unknown) => failure);

describe('a command that uses the database of a server', () => {
  it('reports wrong settings, all of them, as wrong usage', async () => {
    expect(await failureOf(new ConfigError(['A is missing.', 'B is wrong.']))).toMatchObject({
      name: 'UsageError',
      faults: ['A is missing.', 'B is wrong.'],
    });
  });

  it('reports a database that cannot be opened as wrong usage, with the hint', async () => {
    expect(await failureOf(new SessionStoreStartError('It is damaged.', 'Restore a backup.'))).toMatchObject({
      name: 'UsageError',
      faults: ['It is damaged.'],
      hint: 'Restore a backup.',
    });
  });

  it('reports a database that cannot serve now as an outage', async () => {
    expect(await failureOf(new SessionStoreUnavailable('It is full.', 'full'))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      detail: 'It is full.',
    });
  });

  it('recognises these errors by their codes, not by the names of their classes', async () => {
    const renamed = Object.defineProperty(new SessionStoreUnavailable('It is away.'), 'name', { value: 'Renamed' });
    const sameName = Object.assign(new Error('another error'), { name: 'SessionStoreUnavailable' });

    expect(await failureOf(renamed)).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await failureOf(sameName)).toBe(sameName);
  });
});
