import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import serve from '../../../src/cli/commands/serve.ts';
import { ConfigError } from '../../../src/server/core/config-error.ts';
import { parseConfig } from '../../../src/server/settings/config.ts';
import { SECRET_SETTINGS } from '../../../src/server/settings/secret-files.ts';
import { describeRange, SETTINGS, type Setting } from '../../../src/server/settings/settings-table.ts';

const settings = Object.entries<Setting>(SETTINGS);
const needed = {
  PARTWAY_S3_ENDPOINT: 'http://127.0.0.1:9000',
  PARTWAY_S3_BUCKET: 'uploads',
  PARTWAY_S3_ACCESS_KEY_ID: 'access-key',
  PARTWAY_S3_SECRET_ACCESS_KEY: 'secret-key',
};

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig({ ...needed, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('the settings in docs/server.md', () => {
  it('are those of the table, in its order, with the same default and range', () => {
    const rows = readFileSync('docs/server.md', 'utf8').matchAll(/^\| `(PARTWAY_\w+)` \| ([^|]*) \| ([^|]*) \| (?:[^|]*\|)$/gm);
    const expected = settings.map(([name, setting]) => [
      name,
      'default' in setting ? `\`${setting.default}\`` : setting.ifUnset,
      describeRange(setting.range),
    ]);
    expect([...rows].map(([, ...cells]) => cells)).toEqual(expected);
  });

  it('are all in that one table', () => {
    const [introduction = ''] = readFileSync('docs/server.md', 'utf8').split('\n## ');
    expect(new Set(introduction.match(/PARTWAY_[A-Z0-9_]+/g))).toEqual(new Set(Object.keys(SETTINGS)));
  });
});

describe('the help of partway serve', () => {
  it('lists each setting with its meaning, default and range, and the files of secrets', async () => {
    const rows = await serve.environment();
    expect(rows.map(([name]) => name).filter((name) => name !== '')).toEqual([...Object.keys(SETTINGS), '…_FILE']);
    for (const [name, setting] of settings) {
      const index = rows.findIndex(([row]) => row === name);
      expect(rows[index]?.[1]).toBe(setting.meaning);
      const [below, text] = rows[index + 1] ?? [];
      expect(below).toBe('');
      expect(text).toContain('default' in setting ? setting.default : setting.ifUnset);
      expect(text).toContain(describeRange(setting.range));
    }
  });
});

describe('a default in compose.yaml', () => {
  /** Compose knows its own store, and sets these on purpose. */
  const OWN = ['PARTWAY_S3_BUCKET', 'PARTWAY_S3_SIGNING', 'PARTWAY_S3_PUBLIC_ENDPOINT', 'PARTWAY_S3_STALE_UPLOADS_EXPIRY'];

  it('is that of the table', () => {
    const defaults = [...readFileSync('compose.yaml', 'utf8').matchAll(/^ *(PARTWAY_\w+): \$\{\1:-([^}]+)\}/gm)]
      .map(([, name = '', value]) => [name, value])
      .filter(([name = '']) => Object.hasOwn(SETTINGS, name) && !OWN.includes(name));
    expect(defaults).toEqual([
      ['PARTWAY_RATE_LIMIT', SETTINGS.PARTWAY_RATE_LIMIT.default],
      ['PARTWAY_SESSION_TTL', SETTINGS.PARTWAY_SESSION_TTL.default],
      ['PARTWAY_URL_TTL', SETTINGS.PARTWAY_URL_TTL.default],
    ]);
  });
});

describe('the parser', () => {
  it.each(settings.flatMap(([name, setting]) => ('default' in setting ? [[name, setting.default] as const] : [])))(
    'takes the default of %s, as if it were set: %s',
    (name, value) => {
      expect(JSON.stringify(parseConfig({ ...needed, [name]: value }))).toBe(JSON.stringify(parseConfig(needed)));
    },
  );

  it.each(settings.flatMap(([name, { range }]) => boundsOf(range).map((value) => [name, value] as const)))(
    'takes a bound of %s: %s',
    (name, value) => {
      expect(faultsOf({ ...neededWith(name, value), [name]: value })).toEqual([]);
    },
  );

  it.each([
    ['PARTWAY_URL_TTL', '9s'],
    ['PARTWAY_URL_TTL', '169h'],
    ['PARTWAY_DRAIN_DELAY', '301s'],
    ['PARTWAY_PORT', '65536'],
    ['PARTWAY_RATE_LIMIT', '0'],
    ['PARTWAY_MAX_SESSIONS', '10000000'],
    ['PARTWAY_S3_SIGNING', 'none'],
  ])('refuses a value outside the range of %s, and names the range: %s', (name, value) => {
    const [fault = ''] = faultsOf({ [name]: value });
    const { range } = SETTINGS[name as keyof typeof SETTINGS];
    for (const bound of describeRange(range).split(/ to |, | or /)) expect(fault).toContain(bound);
  });

  it('lets a file hold each secret', () => {
    expect(SECRET_SETTINGS).toEqual([...settings.flatMap(([name, { isSecret }]) => (isSecret ? [name] : [])), TARGET]);
  });
});

const TARGET = 'PARTWAY_TARGET_DATABASE_URL';

function boundsOf(range: Setting['range']): readonly string[] {
  if ('duration' in range) return range.duration;
  if ('number' in range) return range.number.map(String);
  if ('numberOrOff' in range) return [...range.numberOrOff.map(String), 'off'];
  return 'oneOf' in range ? range.oneOf : [];
}

/** Signing by a key needs the key. */
function neededWith(name: string, value: string): Record<string, string> {
  if (name !== 'PARTWAY_S3_SIGNING' || value !== 'key') return {};
  return { PARTWAY_S3_SIGNING_ACCESS_KEY_ID: 'signing-key', PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: 'signing-secret' };
}
