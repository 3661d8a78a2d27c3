import { DEFAULT_MAX_OPEN_SESSIONS } from '../../session/access.ts';
import { PLACEHOLDERS } from '../../session/key-template.ts';

/** The values that a setting may have. Words describe a range that only its parser can check. */
export type Range =
  | { readonly duration: readonly [from: string, to: string] }
  | { readonly number: readonly [from: number, to: number] }
  | { readonly numberOrOff: readonly [from: number, to: number] }
  | { readonly oneOf: readonly [string, string, ...string[]] }
  | { readonly words: string };

interface Meaning {
  readonly range: Range;
  /** One line for `partway serve --help`. */
  readonly meaning: string;
  /** Whether the value is or holds a secret: it is never shown, and a file may hold it (`…_FILE`). */
  readonly isSecret?: true;
}

/** A setting has a default value, or words for what happens without it (`required` where the server does not start). */
export type Setting = Meaning & ({ readonly default: string } | { readonly ifUnset: string });

const URL = { words: 'http:// or https:// URL' } as const;

/** All settings of the server. Feeds the parser (config.ts), `partway serve --help` and, by a test, docs/server.md. */
export const SETTINGS = {
  PARTWAY_HOST: {
    default: '127.0.0.1',
    range: { words: 'address or host name' },
    meaning: 'Address to listen on. Others than loopback need a token, and TLS to be safe',
  },
  PARTWAY_PORT: { default: '7373', range: { number: [0, 65_535] }, meaning: 'Port to listen on; 0 takes any free port' },
  PARTWAY_TOKEN: {
    ifUnset: 'made at the first start',
    range: { words: '16 to 512 ASCII characters, no spaces' },
    meaning: 'Admin token. The first token is shown at a terminal, else written to the file first-token beside the database',
    isSecret: true,
  },
  PARTWAY_TLS_CERT: {
    ifUnset: 'no TLS',
    range: { words: 'path of a PEM file' },
    meaning: 'Certificate chain to serve HTTPS with; read again when it changes, and on SIGHUP',
  },
  PARTWAY_TLS_KEY: { ifUnset: 'no TLS', range: { words: 'path of a PEM file' }, meaning: 'Private key of the certificate' },
  PARTWAY_TRUSTED_PROXIES: {
    ifUnset: 'none',
    range: { words: 'addresses, CIDR blocks, loopback; comma between' },
    meaning: 'Proxies whose X-Forwarded-For counts',
  },
  PARTWAY_CORS_ORIGINS: {
    ifUnset: 'none',
    range: { words: 'origins, comma between, or * for any' },
    meaning: 'Origins whose pages may call the API',
  },
  PARTWAY_DRAIN_DELAY: {
    default: '0s',
    range: { duration: ['0s', '5m'] },
    meaning: 'How long requests are still accepted after SIGTERM, while /readyz tells balancers to look away',
  },
  PARTWAY_RATE_LIMIT: {
    // A small file costs 4 to 6 requests: 200 files a second of one token, and as much again.
    default: '2000',
    range: { numberOrOff: [1, 9_999_999] },
    meaning: 'Requests a second of one token',
  },
  PARTWAY_MAX_SESSIONS: {
    default: String(DEFAULT_MAX_OPEN_SESSIONS),
    range: { numberOrOff: [1, 9_999_999] },
    meaning: 'Unfinished sessions of a token that has no limit of its own',
  },
  PARTWAY_DATABASE_URL: {
    ifUnset: 'partway.db in the data folder',
    range: { words: 'path of a SQLite file, or postgres://user:password@host/database' },
    meaning: 'Database of the sessions; several servers may share a PostgreSQL one',
    isSecret: true,
  },
  PARTWAY_AUDIT_LOG: {
    ifUnset: 'audit.jsonl beside the SQLite file, else in the data folder',
    range: { words: 'path of a file, or off' },
    meaning: 'Audit log, which partway audit reads',
  },
  PARTWAY_S3_ENDPOINT: { ifUnset: 'required', range: URL, meaning: 'Where the server reaches the object store' },
  PARTWAY_S3_PUBLIC_ENDPOINT: {
    ifUnset: 'PARTWAY_S3_ENDPOINT',
    range: URL,
    meaning: 'Where clients reach the object store; presigned URLs name it',
  },
  PARTWAY_S3_REGION: { default: 'us-east-1', range: { words: 'region name' }, meaning: 'Region of the object store' },
  PARTWAY_S3_BUCKET: { ifUnset: 'required', range: { words: 'bucket name' }, meaning: 'Bucket that uploads go to' },
  PARTWAY_S3_ACCESS_KEY_ID: {
    ifUnset: 'required',
    range: { words: 'access key' },
    meaning: 'Access key of the server at the object store',
    isSecret: true,
  },
  PARTWAY_S3_SECRET_ACCESS_KEY: {
    ifUnset: 'required',
    range: { words: 'secret key' },
    meaning: 'Secret key of the server at the object store',
    isSecret: true,
  },
  PARTWAY_S3_KEY_PREFIX: {
    ifUnset: 'any key',
    range: { words: 'up to 512 characters that a key can begin with' },
    meaning: 'Prefix of all keys of this server',
  },
  PARTWAY_S3_SIGNING: {
    default: 'auto',
    range: { oneOf: ['auto', 'sts', 'key', 'shared'] },
    meaning: 'Credentials that sign part URLs. auto takes sts where the store has it, else shared',
  },
  PARTWAY_S3_SIGNING_ACCESS_KEY_ID: {
    ifUnset: 'none',
    range: { words: 'access key' },
    meaning: 'Access key that signs part URLs and needs s3:PutObject alone',
    isSecret: true,
  },
  PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: {
    ifUnset: 'none',
    range: { words: 'secret key' },
    meaning: 'Secret key that signs part URLs',
    isSecret: true,
  },
  PARTWAY_S3_ALLOW_FORGERY: {
    default: 'no',
    range: { oneOf: ['yes', 'no'] },
    meaning: 'yes lets uploads begin at a store that takes forged writes; see docs/minio-policy.md',
  },
  PARTWAY_S3_STALE_UPLOADS_EXPIRY: {
    default: '24h',
    range: { duration: ['1m', '3650d'] },
    meaning: 'How long the store keeps unfinished uploads; 720h is recommended, here and there',
  },
  PARTWAY_KEY_TEMPLATE: {
    default: '{fileName}',
    range: { words: `up to 1024 characters, with ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}` },
    meaning: 'Makes the key where the client names none',
  },
  PARTWAY_SESSION_TTL: {
    default: '7d',
    range: { duration: ['1m', '3650d'] },
    meaning: 'A session expires this long after its last activity',
  },
  PARTWAY_EXPIRY_HOLD: {
    default: '1h',
    range: { duration: ['0s', '30d'] },
    meaning: 'How long the clock must be steady, and agree with other clocks, before anything expires; also after each start',
  },
  PARTWAY_URL_TTL: {
    default: '1h',
    // S3 limits the life of a presigned URL to 7 days (AWS Signature Version 4).
    range: { duration: ['10s', '7d'] },
    meaning: 'Life of a presigned URL',
  },
  PARTWAY_WEBHOOK_URL: {
    ifUnset: 'no webhook',
    range: URL,
    meaning: 'Gets an event when an upload is created, completed, aborted or expired',
    isSecret: true,
  },
  PARTWAY_WEBHOOK_SECRET: {
    ifUnset: 'no webhook',
    range: { words: 'whsec_ and base64 of 24 to 64 random bytes' },
    meaning: 'Signs the events; two secrets, with a space between, while one takes over from the other',
    isSecret: true,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** The settings with a property, such as `isSecret: true`. */
export type SettingWith<Properties> = {
  [Name in SettingName]: (typeof SETTINGS)[Name] extends Properties ? Name : never;
}[SettingName];

export function isSecretSetting(name: SettingName): name is SettingWith<{ isSecret: true }> {
  return 'isSecret' in SETTINGS[name];
}

/** Names the values of a range, for the help, the docs and error messages. */
export function describeRange(range: Range): string {
  if ('duration' in range) return range.duration.join(' to ');
  if ('number' in range) return range.number.join(' to ');
  if ('numberOrOff' in range) return `${range.numberOrOff.join(' to ')}, or off`;
  if ('oneOf' in range) return `${range.oneOf.slice(0, -1).join(', ')} or ${range.oneOf.at(-1)}`;
  return range.words;
}

/** Makes the rows of `partway serve --help`: each setting with its meaning, and in a row of its own its default and range. */
export function settingRows(): (readonly [name: string, text: string])[] {
  const rows = Object.entries<Setting>(SETTINGS).flatMap(([name, setting]) => [
    [name, setting.meaning] as const,
    ['', `  ${describeDefault(setting)}; ${describeRange(setting.range)}`] as const,
  ]);
  return [...rows, ['…_FILE', 'Path of a file that holds the value of a secret setting, for example PARTWAY_TOKEN_FILE']];
}

function describeDefault(setting: Setting): string {
  if ('default' in setting) return `default ${setting.default}`;
  return setting.ifUnset === 'required' ? 'required' : `if not set: ${setting.ifUnset}`;
}
