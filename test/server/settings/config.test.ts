import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/server/core/config-error.ts';
import { parseConfig, withDatabaseFiles } from '../../../src/server/settings/config.ts';
import { describeDatabase, findAuditLog } from '../../../src/server/settings/file-locations.ts';
import { unknownSettings } from '../../../src/server/settings/unknown-settings.ts';
import { aFolder } from '../../support/client/sources.ts';

const DAY = 86_400_000;
const SECRETS = { token: 'swordfish-admin-token', key: 'swordfish-access-key', secret: 'swordfish-secret-key' };
const needed = {
  PARTWAY_S3_ENDPOINT: 'http://127.0.0.1:9000',
  PARTWAY_S3_BUCKET: 'uploads',
  PARTWAY_S3_ACCESS_KEY_ID: SECRETS.key,
  PARTWAY_S3_SECRET_ACCESS_KEY: SECRETS.secret,
};

function faultsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

/** The other variables that a variable needs beside it to be checked alone. */
const WEBHOOK_URL_FOR: Record<string, Record<string, string>> = {
  PARTWAY_WEBHOOK_SECRET: { PARTWAY_WEBHOOK_URL: 'https://ingest.example.com/' },
};

/** Returns the names of the faulty variables. */
const namesOf = (faults: readonly string[]) => faults.map((fault) => fault.split(' ')[0]);

describe('the configuration', () => {
  it('has defaults for everything but the object store', () => {
    expect(parseConfig({ ...needed, XDG_DATA_HOME: '/data' })).toMatchObject({
      host: '127.0.0.1',
      port: 7373,
      adminToken: undefined,
      database: { kind: 'sqlite', path: '/data/partway/partway.db' },
      s3: { endpoint: 'http://127.0.0.1:9000', publicEndpoint: 'http://127.0.0.1:9000', region: 'us-east-1', bucket: 'uploads' },
      policy: { sessionTtlMs: 7 * DAY, staleUploadsExpiryMs: DAY, urlTtlSeconds: 3_600 },
    });
  });

  it('takes a SOCKS proxy in ALL_PROXY unless store or webhook would be reached through it', () => {
    const env = { ...needed, ALL_PROXY: 'socks5://ann:pass@proxy.example' };
    expect(parseConfig(env).proxies.isAnySet).toBe(true);
    const away = { ...env, PARTWAY_S3_ENDPOINT: 'https://store.example' };
    expect(() => parseConfig(away)).toThrow(
      /ALL_PROXY must be .*https:\/\/store\.example would go through it.*NO_PROXY=store\.example/,
    );
    expect(() => parseConfig({ ...away, NO_PROXY: 'store.example' })).not.toThrow();
    const webhook = {
      PARTWAY_WEBHOOK_URL: 'https://hooks.example/secret',
      PARTWAY_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
    };
    expect(() => parseConfig({ ...env, ...webhook })).toThrow(
      /ALL_PROXY names a proxy that cannot be used, and PARTWAY_WEBHOOK_URL/,
    );
    expect(() => parseConfig({ ...env, ...webhook })).not.toThrow(/hooks\.example/);
  });

  it('takes every variable', () => {
    const config = parseConfig({
      ...needed,
      PARTWAY_HOST: '0.0.0.0',
      PARTWAY_PORT: '80',
      PARTWAY_TOKEN: SECRETS.token,
      PARTWAY_DATABASE_URL: './sessions.db',
      PARTWAY_S3_PUBLIC_ENDPOINT: 'https://s3.example.com/',
      PARTWAY_S3_REGION: 'eu-west-1',
      PARTWAY_S3_STALE_UPLOADS_EXPIRY: '720h',
      PARTWAY_SESSION_TTL: '14d',
      PARTWAY_URL_TTL: '1h30m',
    });
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 80,
      database: { kind: 'sqlite', path: './sessions.db' },
      s3: { publicEndpoint: 'https://s3.example.com', region: 'eu-west-1' },
      policy: { staleUploadsExpiryMs: 30 * DAY, sessionTtlMs: 14 * DAY, urlTtlSeconds: 5_400 },
    });
    expect(config.adminToken?.reveal()).toBe(SECRETS.token);
    expect([config.s3.accessKeyId.reveal(), config.s3.secretAccessKey.reveal()]).toEqual([SECRETS.key, SECRETS.secret]);
  });

  it('keeps the database in the data folder, unless a setting places it', () => {
    const env = { ...needed, XDG_DATA_HOME: '/data', HOME: '/home/ann' };
    expect(parseConfig(env).database).toStrictEqual({ kind: 'sqlite', path: '/data/partway/partway.db' });
    expect(parseConfig({ ...env, PARTWAY_DATABASE_URL: 'p.db' }).database).toStrictEqual({ kind: 'sqlite', path: 'p.db' });
  });

  it.each([
    [{ PARTWAY_DATABASE_URL: '/data/p.db' }, '/data/audit.jsonl'],
    [{ PARTWAY_DATABASE_URL: '/data/p.db', PARTWAY_AUDIT_LOG: '/var/log/partway.jsonl' }, '/var/log/partway.jsonl'],
    [{ PARTWAY_DATABASE_URL: ':memory:', PARTWAY_AUDIT_LOG: '/var/log/partway.jsonl' }, '/var/log/partway.jsonl'],
    [{ PARTWAY_DATABASE_URL: ':memory:' }, undefined],
    [{ PARTWAY_AUDIT_LOG: 'off' }, undefined],
    [{ XDG_DATA_HOME: '/data' }, '/data/partway/audit.jsonl'],
    [{ XDG_DATA_HOME: '/data', PARTWAY_DATABASE_URL: 'postgres://db.example.com/partway' }, '/data/partway/audit.jsonl'],
  ])('keeps the audit log beside the database, or where the setting says: %o', (env, path) => {
    expect(parseConfig({ ...needed, ...env }).auditPath).toBe(path);
    // As `partway audit` calls it, which knows none of the other settings.
    expect(findAuditLog(env)).toBe(path);
  });

  it.each(['postgres', 'postgresql'])('takes a PostgreSQL database by a %s:// URL, which it keeps to itself', (scheme) => {
    const url = `${scheme}://partway:swordfish%40@db.example.com:5433/sessions?sslmode=verify-full&password=swordfish`;
    const { database, auditPath } = parseConfig({ ...needed, PARTWAY_DATABASE_URL: url, XDG_DATA_HOME: '/data' });

    expect(database).toMatchObject({ kind: 'postgres' });
    expect('url' in database && database.url.reveal()).toBe(url);
    expect(auditPath).toBe('/data/partway/audit.jsonl');
    expect(describeDatabase(database)).toBe('postgres://db.example.com:5433/sessions');
    expect(`${inspect(database)} ${JSON.stringify(database)}`).not.toContain('swordfish');
  });

  it.each([
    ['postgres://partway:sword/fish@db.example.com/sessions', /^PARTWAY_DATABASE_URL is not a URL; .*%40 for @/],
    ['postgres://partway:swordfish@db.example.com:port/sessions', /^PARTWAY_DATABASE_URL is not a URL/],
    ['mysql://partway:swordfish@db.example.com/sessions', /^PARTWAY_DATABASE_URL must be .*postgres:\/\//],
  ])('refuses %s as a database without quoting it', (url, fault) => {
    const faults = faultsOf({ ...needed, PARTWAY_DATABASE_URL: url });

    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults.join()).not.toContain('fish');
  });

  it('names every fault at once', () => {
    const faults = faultsOf({
      PARTWAY_PORT: 'http',
      PARTWAY_S3_ENDPOINT: 'minio:9000',
      PARTWAY_URL_TTL: '8d',
      PARTWAY_TOKEN: 'short',
    });
    expect(namesOf(faults).sort()).toEqual([
      'PARTWAY_PORT',
      'PARTWAY_S3_ACCESS_KEY_ID',
      'PARTWAY_S3_BUCKET',
      'PARTWAY_S3_ENDPOINT',
      'PARTWAY_S3_SECRET_ACCESS_KEY',
      'PARTWAY_TOKEN',
      'PARTWAY_URL_TTL',
    ]);
  });

  it('says which settings are not set, and what they are', () => {
    expect(faultsOf({ ...needed, PARTWAY_S3_BUCKET: undefined })).toEqual([
      'PARTWAY_S3_BUCKET is not set (bucket that uploads go to)',
    ]);
  });

  it('says of a port and of an address what they must be', () => {
    expect(faultsOf({ ...needed, PARTWAY_PORT: '80a', PARTWAY_S3_ENDPOINT: 'minio:9000' })).toEqual([
      'PARTWAY_PORT is "80a"; it must be a port number, from 0 to 65535',
      'PARTWAY_S3_ENDPOINT must be an http:// or https:// URL, such as http://127.0.0.1:9000',
    ]);
    expect(faultsOf({ ...needed, PARTWAY_PORT: '65536' })).toEqual([
      'PARTWAY_PORT is "65536"; it must be a port number, from 0 to 65535',
    ]);
  });

  it.each<[string, string]>([
    ['PARTWAY_PORT', '65536'],
    ['PARTWAY_PORT', '-1'],
    ['PARTWAY_PORT', '80.5'],
    ['PARTWAY_PORT', ''],
    ['PARTWAY_PORT', ' '],
    ['PARTWAY_HOST', ''],
    ['PARTWAY_TOKEN', ''],
    ['PARTWAY_TOKEN', 'fifteen-letters'],
    ['PARTWAY_TOKEN', 'words that no header carries as one token'],
    ['PARTWAY_DATABASE_URL', 'mysql://localhost/partway'],
    ['PARTWAY_DATABASE_URL', ''],
    ['PARTWAY_AUDIT_LOG', ''],
    ['PARTWAY_S3_ENDPOINT', 'ftp://127.0.0.1'],
    ['PARTWAY_S3_PUBLIC_ENDPOINT', 'not a url'],
    ['PARTWAY_S3_BUCKET', ''],
    ['PARTWAY_S3_SECRET_ACCESS_KEY', ''],
    ['PARTWAY_SESSION_TTL', '59s'],
    ['PARTWAY_SESSION_TTL', '7 days'],
    ['PARTWAY_SESSION_TTL', '-7d'],
    ['PARTWAY_S3_STALE_UPLOADS_EXPIRY', '0s'],
    ['PARTWAY_URL_TTL', '9s'],
    ['PARTWAY_URL_TTL', '169h'],
    ['PARTWAY_TRUSTED_PROXIES', 'proxy.example.com'],
    ['PARTWAY_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['PARTWAY_CORS_ORIGINS', 'https://app.example.com/'],
    ['PARTWAY_RATE_LIMIT', '0'],
    ['PARTWAY_RATE_LIMIT', '-1'],
    ['PARTWAY_RATE_LIMIT', '1.5'],
    ['PARTWAY_RATE_LIMIT', ''],
    ['PARTWAY_RATE_LIMIT', 'none'],
    ['PARTWAY_WEBHOOK_SECRET', 'whsec_c2hvcnQ='],
    ['PARTWAY_WEBHOOK_SECRET', ''],
  ])('refuses %s=%j', (name, value) => {
    expect(namesOf(faultsOf({ ...needed, ...WEBHOOK_URL_FOR[name], [name]: value }))).toEqual([name]);
  });

  describe('of the webhook', () => {
    const PARTWAY_WEBHOOK_URL = 'https://ann:swordfish@ingest.example.com/hooks/swordfish/';
    const PARTWAY_WEBHOOK_SECRET = `whsec_${Buffer.from('swordfish'.repeat(3)).toString('base64')}`;

    it('is undefined by default', () => {
      expect(parseConfig(needed).webhook).toBeUndefined();
    });

    it('keeps URL and secret to itself, and the URL as it is', () => {
      const { webhook } = parseConfig({ ...needed, PARTWAY_WEBHOOK_URL, PARTWAY_WEBHOOK_SECRET });

      expect(webhook?.url.reveal()).toBe(PARTWAY_WEBHOOK_URL);
      expect(webhook?.secrets.map((one) => one.reveal())).toEqual([PARTWAY_WEBHOOK_SECRET]);
      expect(inspect(webhook, { depth: Infinity, showHidden: true }) + JSON.stringify(webhook)).not.toMatch(/swordfish|whsec/);
    });

    it('needs both', () => {
      expect(namesOf(faultsOf({ ...needed, PARTWAY_WEBHOOK_URL }))).toEqual(['PARTWAY_WEBHOOK_SECRET']);
      expect(namesOf(faultsOf({ ...needed, PARTWAY_WEBHOOK_SECRET }))).toEqual(['PARTWAY_WEBHOOK_URL']);
    });

    it.each(['ftp://ann:swordfish@example.com/', 'swordfish', 'https://'])('refuses the URL %j without repeating it', (url) => {
      const faults = faultsOf({ ...needed, PARTWAY_WEBHOOK_SECRET, PARTWAY_WEBHOOK_URL: url });
      expect(faults).toEqual(['PARTWAY_WEBHOOK_URL must be an http:// or https:// URL']);
    });
  });

  describe('of what signs part URLs', () => {
    const pair = {
      PARTWAY_S3_SIGNING_ACCESS_KEY_ID: 'swordfish-signing-key',
      PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: 'swordfish-signing-secret',
    };
    const [ACCESS_KEY, SECRET_KEY] = Object.keys(pair);

    it('is auto, and any key, by default', () => {
      expect(parseConfig(needed).s3).toMatchObject({ signing: { kind: 'auto' }, keyPrefix: '' });
      for (const kind of ['auto', 'sts', 'shared']) {
        expect(parseConfig({ ...needed, PARTWAY_S3_SIGNING: kind }).s3.signing).toEqual({ kind });
      }
    });

    it.each([undefined, 'auto', 'key'])('takes a key pair where one is set: %s', (kind) => {
      const { signing } = parseConfig({ ...needed, ...pair, PARTWAY_S3_SIGNING: kind }).s3;
      if (signing.kind !== 'key') throw new Error(`signing is ${signing.kind}`);
      expect([signing.accessKeyId.reveal(), signing.secretAccessKey.reveal()]).toEqual(Object.values(pair));
      expect(inspect(signing, { depth: Infinity, showHidden: true })).not.toContain('swordfish');
    });

    it.each<[Record<string, string | undefined>, (string | undefined)[]]>([
      [{ ...pair, PARTWAY_S3_SIGNING_ACCESS_KEY_ID: undefined }, [ACCESS_KEY]],
      [{ ...pair, PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: undefined }, [SECRET_KEY]],
      [{ PARTWAY_S3_SIGNING: 'key' }, [ACCESS_KEY, SECRET_KEY]],
      [{ ...pair, PARTWAY_S3_SIGNING: 'sts' }, ['PARTWAY_S3_SIGNING']],
      [{ ...pair, PARTWAY_S3_SIGNING: 'shared' }, ['PARTWAY_S3_SIGNING']],
      [{ PARTWAY_S3_SIGNING: 'STS' }, ['PARTWAY_S3_SIGNING']],
      [{ PARTWAY_S3_SIGNING: 'key', PARTWAY_PORT: 'x' }, ['PARTWAY_PORT', ACCESS_KEY, SECRET_KEY]],
    ])('is faulty with %o', (env, names) => {
      expect(namesOf(faultsOf({ ...needed, ...env }))).toEqual(names);
    });

    it.each(['team-a/', 'team', 'a b/ü/', '.hidden/', 'a..b/'])('takes the key prefix %j', (keyPrefix) => {
      expect(parseConfig({ ...needed, PARTWAY_S3_KEY_PREFIX: keyPrefix }).s3.keyPrefix).toBe(keyPrefix);
    });

    it.each(['a*', 'a?', 'a$b/', 'a\\b', 'a\nb', '/a', 'a//b', '../a', 'a/./b', 'a'.repeat(513)])(
      'refuses the key prefix %j, which no key can begin with or which means more in a policy',
      (keyPrefix) => {
        expect(namesOf(faultsOf({ ...needed, PARTWAY_S3_KEY_PREFIX: keyPrefix }))).toEqual(['PARTWAY_S3_KEY_PREFIX']);
      },
    );
  });

  it('refuses a token that no request could carry', () => {
    expect(namesOf(faultsOf({ ...needed, PARTWAY_TOKEN: 'a'.repeat(513) }))).toEqual(['PARTWAY_TOKEN']);
    expect(faultsOf({ ...needed, PARTWAY_TOKEN: 'a'.repeat(512) })).toEqual([]);
  });

  it.each([
    ['90s', 90],
    ['10s', 10],
    ['7d', 604_800],
    ['1h30m', 5_400],
    ['1.5h', 5_400],
    ['10500ms', 10],
  ])('reads the duration %s', (text, seconds) => {
    expect(parseConfig({ ...needed, PARTWAY_URL_TTL: text }).policy.urlTtlSeconds).toBe(seconds);
  });
});

describe('the edge', () => {
  it('is plain HTTP, limits requests, trusts no proxy and allows no origin by default', () => {
    const edge = { tls: undefined, trustedProxies: [], corsOrigins: [], requestsPerSecond: 2_000 };
    expect(parseConfig(needed).edge).toEqual(edge);
  });

  it('takes its settings', () => {
    const { edge } = parseConfig({
      ...needed,
      PARTWAY_TLS_CERT: '/etc/partway/cert.pem',
      PARTWAY_TLS_KEY: '/etc/partway/key.pem',
      PARTWAY_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8',
      PARTWAY_CORS_ORIGINS: 'https://app.example.com,http://localhost:5173',
      PARTWAY_RATE_LIMIT: 'off',
    });
    expect(edge).toMatchObject({
      tls: { certPath: '/etc/partway/cert.pem', keyPath: '/etc/partway/key.pem' },
      corsOrigins: ['https://app.example.com', 'http://localhost:5173'],
      requestsPerSecond: null,
    });
    expect(edge.trustedProxies).toHaveLength(3);
  });

  it('needs both files for TLS, or none', () => {
    expect(faultsOf({ ...needed, PARTWAY_TLS_CERT: 'cert.pem' })).toEqual([
      'PARTWAY_TLS_KEY is not set (the key of the certificate in PARTWAY_TLS_CERT)',
    ]);
    expect(namesOf(faultsOf({ ...needed, PARTWAY_TLS_KEY: 'key.pem' }))).toEqual(['PARTWAY_TLS_CERT']);
  });

  it('has the faults of its files reported with all the others', () => {
    const env = { ...needed, PARTWAY_PORT: 'http', PARTWAY_TLS_CERT: 'cert.pem', PARTWAY_TLS_KEY: 'key.pem' };
    const parse = () => parseConfig(env, ({ certPath }) => [`PARTWAY_TLS_CERT names ${certPath}, which does not exist`]);
    expect(parse).toThrow(/PARTWAY_PORT.*\n.*PARTWAY_TLS_CERT names cert\.pem/);
  });
});

describe('secrets', () => {
  it('show themselves in no form of the configuration', () => {
    const config = parseConfig({ ...needed, PARTWAY_TOKEN: SECRETS.token });
    const forms = [
      JSON.stringify(config),
      inspect(config, { depth: Infinity, showHidden: true }),
      String(config.adminToken),
      `${config.s3.secretAccessKey}`,
      JSON.stringify(Object.entries(config.s3)),
      JSON.stringify({ ...config.s3.accessKeyId }),
    ];
    for (const form of forms) expect(form).not.toContain('swordfish');
  });

  it('show themselves in no message about a fault', () => {
    const env = { ...needed, PARTWAY_TOKEN: 'swordfish', PARTWAY_PORT: 'x', PARTWAY_S3_BUCKET: '' };
    try {
      parseConfig(env);
      expect.unreachable();
    } catch (error) {
      expect(inspect(error, { depth: Infinity })).not.toContain('swordfish');
      expect(String(error)).toContain('PARTWAY_TOKEN');
    }
  });
});

describe('a secret that is given by a file', () => {
  const WEBHOOK = `whsec_${Buffer.from('swordfish'.repeat(3)).toString('base64')}`;
  async function fileWith(text: string): Promise<string> {
    const path = join(await aFolder(), 'secret');
    writeFileSync(path, text);
    return path;
  }

  it('is the same as by its variable, without the line break at the end of the file', async () => {
    const env = {
      PARTWAY_S3_ENDPOINT: needed.PARTWAY_S3_ENDPOINT,
      PARTWAY_S3_BUCKET: 'uploads',
      PARTWAY_TOKEN_FILE: await fileWith(`${SECRETS.token}\n`),
      PARTWAY_S3_ACCESS_KEY_ID_FILE: await fileWith(SECRETS.key),
      PARTWAY_S3_SECRET_ACCESS_KEY_FILE: await fileWith(`${SECRETS.secret}\r\n`),
      PARTWAY_S3_SIGNING_ACCESS_KEY_ID_FILE: await fileWith('signing-key'),
      PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY_FILE: await fileWith('signing-secret'),
      PARTWAY_DATABASE_URL_FILE: await fileWith('postgres://partway:swordfish@db/partway\n'),
      PARTWAY_WEBHOOK_URL_FILE: await fileWith('https://ingest.example.com/swordfish'),
      PARTWAY_WEBHOOK_SECRET_FILE: await fileWith(WEBHOOK),
      // As a compose file passes variables that are not set.
      PARTWAY_TOKEN: '',
    };
    const { adminToken, s3, database, webhook, unknown } = parseConfig(env);
    const { signing } = s3;
    if (signing.kind !== 'key' || database.kind !== 'postgres') throw new Error('signing or database is of another kind');
    const read = [
      adminToken,
      s3.accessKeyId,
      s3.secretAccessKey,
      signing.accessKeyId,
      signing.secretAccessKey,
      database.url,
      webhook?.url,
    ];
    expect(read.map((secret) => secret?.reveal())).toEqual([
      SECRETS.token,
      SECRETS.key,
      SECRETS.secret,
      'signing-key',
      'signing-secret',
      'postgres://partway:swordfish@db/partway',
      'https://ingest.example.com/swordfish',
    ]);
    expect(webhook?.secrets.map((one) => one.reveal())).toEqual([WEBHOOK]);
    expect(unknown).toEqual([]);
  });

  it('is at fault where the variable is set as well, and neither is quoted', async () => {
    const faults = faultsOf({
      ...needed,
      PARTWAY_TOKEN: SECRETS.token,
      PARTWAY_TOKEN_FILE: await fileWith('swordfish-of-the-file'),
    });
    expect(faults).toEqual(['PARTWAY_TOKEN_FILE and PARTWAY_TOKEN are both set; only one of them can be']);
  });

  it('is at fault where the file cannot be read, is empty or holds no such secret', async () => {
    const { PARTWAY_S3_SECRET_ACCESS_KEY: _, ...rest } = needed;
    const missing = join(await aFolder(), 'nosuch');
    expect(faultsOf({ ...rest, PARTWAY_S3_SECRET_ACCESS_KEY_FILE: missing })).toEqual([
      `PARTWAY_S3_SECRET_ACCESS_KEY_FILE names ${missing}, which cannot be read (ENOENT)`,
    ]);
    const empty = await fileWith('\n');
    expect(faultsOf({ ...needed, PARTWAY_TOKEN_FILE: empty })).toEqual([`PARTWAY_TOKEN_FILE names an empty file, ${empty}`]);
    expect(faultsOf({ ...needed, PARTWAY_TOKEN_FILE: await fileWith('swordfish two') })).toEqual([
      'PARTWAY_TOKEN must have 16 to 512 ASCII characters, no spaces',
    ]);
  });

  it('finds the database for the commands on the server’s host, too', async () => {
    const PARTWAY_DATABASE_URL_FILE = await fileWith('/data/p.db');
    expect(findAuditLog(withDatabaseFiles({ PARTWAY_DATABASE_URL_FILE }))).toBe('/data/audit.jsonl');
    // Nothing else is read, as these commands may not be allowed to.
    expect(withDatabaseFiles({ PARTWAY_TOKEN_FILE: '/nosuch' })).toEqual({ PARTWAY_TOKEN_FILE: '/nosuch' });
    expect(() => withDatabaseFiles({ PARTWAY_DATABASE_URL_FILE: '/nosuch/file' })).toThrow(/ENOENT/);
  });
});

describe('a variable that looks like a setting', () => {
  it.each([
    ['PARTWAY_S3_BUKET', 'PARTWAY_S3_BUCKET'],
    ['PARTWAY_S3_SECRETACCESSKEY', 'PARTWAY_S3_SECRET_ACCESS_KEY'],
    ['PARTWAY_TOKEN_FIL', 'PARTWAY_TOKEN_FILE'],
    ['PARTWAY_TRUSTED_PROXY', 'PARTWAY_TRUSTED_PROXIES'],
  ])('is reported with the setting that may be meant: %s', (name, meant) => {
    expect(parseConfig({ ...needed, [name]: 'swordfish' }).unknown).toEqual([
      `${name} is not a setting of the server and has no effect. Did you mean ${meant}?`,
    ]);
  });

  it('is reported beside the faults that it may cause', () => {
    const { PARTWAY_S3_BUCKET: bucket, ...rest } = needed;
    expect(faultsOf({ ...rest, PARTWAY_S3_BUKET: bucket })).toEqual([
      'PARTWAY_S3_BUCKET is not set (bucket that uploads go to)',
      'PARTWAY_S3_BUKET is not a setting of the server and has no effect. Did you mean PARTWAY_S3_BUCKET?',
    ]);
  });

  it('is reported without a guess where no name is near', () => {
    expect(parseConfig({ ...needed, PARTWAY_FRUIT: 'apple' }).unknown).toEqual([
      'PARTWAY_FRUIT is not a setting of the server and has no effect',
    ]);
  });

  it('is not reported where clients, compose.yaml or the tests know it', () => {
    const others = readFileSync('compose.yaml', 'utf8').match(/PARTWAY_[A-Z0-9_]+/g) ?? [];
    const env = Object.fromEntries([...others, 'PARTWAY_SERVER', 'PARTWAY_TEST_SEED'].map((name) => [name, 'x']));
    expect(unknownSettings(env)).toEqual([]);
  });
});
