import { z } from 'zod';
import { type ProxySettings, parseProxies } from '../../outbound/proxy-settings.ts';
import { DEFAULT_MAX_OPEN_SESSIONS } from '../../session/access.ts';
import { isKeyTemplate, PLACEHOLDERS } from '../../session/key-template.ts';
import { parseDuration } from '../../text/duration.ts';
import { ConfigError } from '../core/config-error.ts';
import { Secret } from '../core/secret.ts';
import { parseOrigins } from '../http/cors.ts';
import type { TlsFiles } from '../http/tls.ts';
import { parseNetworks } from '../limits/client-address.ts';
import { auditLogPath, databaseAt, faultOfDatabase } from './file-locations.ts';
import { DATABASE_SETTINGS, readSecretFiles } from './secret-files.ts';
import { parseSigningSecrets } from './signing-secrets.ts';
import { unknownSettings } from './unknown-settings.ts';

const KNOWN_PLACEHOLDERS = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
const DAY_MS = 86_400_000;
/** S3's limit on the life of a presigned URL (AWS Signature Version 4). */
const MAX_URL_TTL_MS = 7 * DAY_MS;

/** A small file costs 4 to 6 requests: 200 files a second of one token, and as much again. */
const DEFAULT_REQUESTS_PER_SECOND = 2_000;

const NO_PORT = { error: ({ input }: { input?: unknown }) => `is "${input}"; it must be a port number, from 0 to 65535` };

/** What a client can send after `Bearer `, and what auth.ts takes. */
const SENDABLE_TOKEN = /^[\x21-\x7e]{16,512}$/;

const needed = (what: string) => ({
  error: (issue: { input?: unknown }) => (issue.input === undefined ? `is not set (${what})` : undefined),
});
const text = (what: string) => z.string(needed(what)).min(1, `is empty (${what})`);
const secret = (what: string) => text(what).transform((value) => new Secret(value));
const url = (what: string) =>
  z
    .url({
      protocol: /^https?$/,
      hostname: /./,
      // Not quoted: it may hold a password.
      error: ({ input }) =>
        input === undefined ? `is not set (${what})` : 'must be an http:// or https:// URL, such as http://127.0.0.1:9000',
      abort: true,
    })
    .transform((value) => value.replace(/\/+$/, ''));

function duration(fallback: string, [min, max]: [string, string]) {
  return z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= (parseDuration(min) ?? 0) && ms <= (parseDuration(max) ?? 0)) return ms;
      context.addIssue({
        code: 'custom',
        message: `is "${value}"; it must be a duration from ${min} to ${max}, such as ${fallback}`,
      });
      return z.NEVER;
    });
}

/** Part of what may be signed and granted, so without what has a meaning in policies (`*`, `?`, `$`), and such as a key can begin with. */
const keyPrefix = z
  .string()
  .max(512, 'has more than 512 characters')
  .regex(/^[^*?$\\\p{Cc}]*$/u, 'must have no *, ?, $, backslash or control character')
  .regex(/^(?!\/)(?!.*\/\/)(?!(?:.*\/)?\.\.?\/)/, 'must have no empty, "." or ".." segment')
  .default('');

/** A comma-separated list; nothing is an empty one. */
function list<Item>(parse: (text: string) => readonly Item[]) {
  return z
    .string()
    .default('')
    .transform((value, context) => {
      try {
        return parse(value);
      } catch (error) {
        context.addIssue({ code: 'custom', message: `holds a fault: ${error instanceof Error ? error.message : error}` });
        return z.NEVER;
      }
    });
}

const schema = z.object({
  PARTWAY_HOST: z.string().min(1, 'is empty').default('127.0.0.1'),
  PARTWAY_PORT: z
    .string()
    // Digits only: Number('') is 0, and port 0 is any free port.
    .regex(/^\d{1,5}$/, NO_PORT)
    .transform(Number)
    .refine((port) => port <= 65_535, NO_PORT)
    .default(7373),
  PARTWAY_TOKEN: secret('the admin token')
    .refine((token) => SENDABLE_TOKEN.test(token.reveal()), 'must have 16 to 512 characters of ASCII, and no spaces')
    .optional(),
  PARTWAY_TLS_CERT: z.string().min(1, 'is empty (the path of a PEM file)').optional(),
  PARTWAY_TLS_KEY: z.string().min(1, 'is empty (the path of a PEM file)').optional(),
  PARTWAY_TRUSTED_PROXIES: list(parseNetworks),
  PARTWAY_CORS_ORIGINS: list(parseOrigins),
  PARTWAY_DRAIN_DELAY: duration('0s', ['0s', '5m']),
  PARTWAY_RATE_LIMIT: z
    .string()
    .regex(/^([1-9]\d{0,6}|off)$/, 'must be a number of requests a second, from 1 to 9999999, or off')
    .transform((value) => (value === 'off' ? null : Number(value)))
    .default(DEFAULT_REQUESTS_PER_SECOND),
  PARTWAY_MAX_SESSIONS: z
    .string()
    .regex(/^([1-9]\d{0,6}|off)$/, 'must be a number of sessions, from 1 to 9999999, or off')
    .transform((value) => (value === 'off' ? null : Number(value)))
    .default(DEFAULT_MAX_OPEN_SESSIONS),
  PARTWAY_DATABASE_URL: z
    .string()
    .min(1, 'is empty')
    .superRefine((value, context) => {
      const fault = faultOfDatabase(value);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    })
    .optional(),
  PARTWAY_AUDIT_LOG: z.string().min(1, 'is empty').optional(),
  PARTWAY_S3_ENDPOINT: url('where the object store is, such as http://127.0.0.1:9000'),
  PARTWAY_S3_PUBLIC_ENDPOINT: url('where clients reach the object store').optional(),
  PARTWAY_S3_REGION: z.string().min(1, 'is empty').default('us-east-1'),
  PARTWAY_S3_BUCKET: text('the bucket that uploads go to'),
  PARTWAY_S3_ACCESS_KEY_ID: secret('the access key of the object store'),
  PARTWAY_S3_SECRET_ACCESS_KEY: secret('the secret key of the object store'),
  PARTWAY_S3_KEY_PREFIX: keyPrefix,
  PARTWAY_S3_SIGNING: z.enum(['auto', 'sts', 'key', 'shared'], 'must be auto, sts, key or shared').default('auto'),
  PARTWAY_S3_SIGNING_ACCESS_KEY_ID: secret('the access key that part URLs are signed with').optional(),
  PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: secret('the secret key that part URLs are signed with').optional(),
  PARTWAY_S3_ALLOW_FORGERY: z
    .enum(['yes', 'no'], 'must be yes or no')
    .transform((value) => value === 'yes')
    .default(false),
  PARTWAY_S3_STALE_UPLOADS_EXPIRY: duration('24h', ['1m', '3650d']),
  PARTWAY_KEY_TEMPLATE: z
    .string()
    .min(1, 'is empty')
    .max(1_024)
    .refine(isKeyTemplate, `may hold ${KNOWN_PLACEHOLDERS}`)
    .default('{fileName}'),
  PARTWAY_SESSION_TTL: duration('7d', ['1m', '3650d']),
  PARTWAY_EXPIRY_HOLD: duration('1h', ['0s', '30d']),
  PARTWAY_URL_TTL: duration('1h', ['10s', '7d']),
  PARTWAY_WEBHOOK_URL: z
    .url({ protocol: /^https?$/, hostname: /./, error: 'must be an http:// or https:// URL' })
    .transform((value) => new Secret(value))
    .optional(),
  PARTWAY_WEBHOOK_SECRET: z
    .string()
    .transform((value, context) => {
      const secrets = parseSigningSecrets(value);
      if (secrets !== undefined) return secrets;
      context.addIssue({
        code: 'custom',
        message:
          'must be whsec_ and the base64 of 24 to 64 random bytes; two of them, with a space between, while one takes over',
      });
      return z.NEVER;
    })
    .optional(),
});

export type Config = ReturnType<typeof parseConfig>;

type Env = Readonly<Record<string, string | undefined>>;

/** The environment of a command that works on the database, with URLs that are given by files. @throws ConfigError */
export function withDatabaseFiles(environment: Env): Env {
  const { env, faults } = readSecretFiles(environment, DATABASE_SETTINGS);
  if (faults.length > 0) throw new ConfigError(faults);
  return env;
}

/** The one setting that a look at the database needs, in milliseconds. @throws ConfigError */
export function parseSessionTtl(env: Env): number {
  const parsed = schema.pick({ PARTWAY_SESSION_TTL: true }).safeParse(env);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`));
  return parsed.data.PARTWAY_SESSION_TTL;
}

/**
 * Reads the server's settings from the environment.
 * @param faultsOf Looks at the certificate files, so that what is wrong with them is told with the rest.
 * @throws ConfigError naming every fault.
 */
export function parseConfig(environment: Env, faultsOf: (files: TlsFiles) => readonly string[] = () => []) {
  const { env, faults: fileFaults, faulty } = readSecretFiles(environment);
  const unknown = unknownSettings(environment, Object.keys(schema.shape));
  const tls = parseTls(env);
  const { settings: proxies } = parseProxies(env);
  const parsed = schema.safeParse(env);
  const faults = [
    ...(parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`),
    ...signingKeyFaults(env),
    ...webhookFaults(env),
    ...proxyFaults(proxies, env),
    ...(typeof tls === 'string' ? [tls] : []),
    ...(typeof tls === 'object' ? faultsOf(tls) : []),
  ].filter((fault) => !faulty.has(fault.split(' ', 1)[0] ?? ''));
  if (!parsed.success || typeof tls === 'string' || faults.length + fileFaults.length > 0)
    throw new ConfigError([...fileFaults, ...faults, ...unknown]);
  const { data } = parsed;
  const database = databaseAt(data.PARTWAY_DATABASE_URL, env);
  return {
    /** Told at the start: variables that look like settings and are none. */
    unknown,
    host: data.PARTWAY_HOST,
    port: data.PARTWAY_PORT,
    adminToken: data.PARTWAY_TOKEN,
    /** Unfinished sessions of a token that has no limit of its own; null is no limit. */
    maxOpenSessions: data.PARTWAY_MAX_SESSIONS,
    /** How long it still takes requests once it was told to stop. */
    drainDelayMs: data.PARTWAY_DRAIN_DELAY,
    database,
    /** Undefined where none is kept. */
    auditPath: auditLogPath(data.PARTWAY_AUDIT_LOG, database, env),
    edge: {
      tls,
      trustedProxies: data.PARTWAY_TRUSTED_PROXIES,
      corsOrigins: data.PARTWAY_CORS_ORIGINS,
      /** Of one token; null is no limit. */
      requestsPerSecond: data.PARTWAY_RATE_LIMIT,
    },
    s3: {
      endpoint: data.PARTWAY_S3_ENDPOINT,
      publicEndpoint: data.PARTWAY_S3_PUBLIC_ENDPOINT ?? data.PARTWAY_S3_ENDPOINT,
      region: data.PARTWAY_S3_REGION,
      bucket: data.PARTWAY_S3_BUCKET,
      accessKeyId: data.PARTWAY_S3_ACCESS_KEY_ID,
      secretAccessKey: data.PARTWAY_S3_SECRET_ACCESS_KEY,
      keyPrefix: data.PARTWAY_S3_KEY_PREFIX,
      signing: signingOf(data),
    },
    /** How long the clock must be steady and agreed with before anything expires. */
    expiryHoldMs: data.PARTWAY_EXPIRY_HOLD,
    /** Undefined where nobody is told what happens to sessions. */
    webhook: webhookOf(data),
    /** The proxies of the environment, for the ways to the store and the webhook. */
    proxies,
    policy: {
      sessionTtlMs: data.PARTWAY_SESSION_TTL,
      staleUploadsExpiryMs: data.PARTWAY_S3_STALE_UPLOADS_EXPIRY,
      keyTemplate: data.PARTWAY_KEY_TEMPLATE,
      allowForgery: data.PARTWAY_S3_ALLOW_FORGERY,
      urlTtlSeconds: Math.floor(Math.min(data.PARTWAY_URL_TTL, MAX_URL_TTL_MS) / 1_000),
    },
  };
}

/** What part URLs are signed with. Naming a key pair is choosing it. */
export type SigningConfig =
  | { readonly kind: 'auto' | 'sts' | 'shared' }
  | { readonly kind: 'key'; readonly accessKeyId: Secret; readonly secretAccessKey: Secret };

function signingOf(data: z.output<typeof schema>): SigningConfig {
  const accessKeyId = data.PARTWAY_S3_SIGNING_ACCESS_KEY_ID;
  const secretAccessKey = data.PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { kind: 'key', accessKeyId, secretAccessKey };
  if (data.PARTWAY_S3_SIGNING === 'key') throw new Error('signing by a key without one: signingKeyFaults should have said so');
  return { kind: data.PARTWAY_S3_SIGNING };
}

/** Whether the pair is whole, there where it is asked for, and not there where something else is. */
function signingKeyFaults(env: Readonly<Record<string, string | undefined>>): string[] {
  const { PARTWAY_S3_SIGNING: kind = 'auto' } = env;
  const names = ['PARTWAY_S3_SIGNING_ACCESS_KEY_ID', 'PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY'];
  const isNamed = names.some((name) => env[name] !== undefined);
  if (isNamed && (kind === 'sts' || kind === 'shared'))
    return [`PARTWAY_S3_SIGNING is ${kind}, so ${names.join(' and ')} must not be set`];
  if (!isNamed && kind !== 'key') return [];
  return names.filter((name) => env[name] === undefined).map((name) => `${name} is not set (signing by a key needs both)`);
}

function webhookOf({ PARTWAY_WEBHOOK_URL: url, PARTWAY_WEBHOOK_SECRET: secrets }: z.output<typeof schema>) {
  return url === undefined || secrets === undefined ? undefined : { url, secrets };
}

/** One without the other. */
function webhookFaults({ PARTWAY_WEBHOOK_URL: url, PARTWAY_WEBHOOK_SECRET: secret }: Env): string[] {
  if (url !== undefined && secret === undefined)
    return ['PARTWAY_WEBHOOK_SECRET is not set (what events to PARTWAY_WEBHOOK_URL are signed with)'];
  if (url === undefined && secret !== undefined) return ['PARTWAY_WEBHOOK_URL is not set (where events are sent)'];
  return [];
}

/** A proxy that cannot be used matters only where store or webhook would be reached through it. The webhook's URL may be a secret. */
function proxyFaults({ faultFor }: ProxySettings, { PARTWAY_S3_ENDPOINT: store, PARTWAY_WEBHOOK_URL: webhook }: Env): string[] {
  const faultOf = (url: string | undefined) => (url !== undefined && URL.canParse(url) ? faultFor(url) : undefined);
  const [wayToStore, wayToWebhook] = [faultOf(store), faultOf(webhook)];
  return [
    ...(wayToStore === undefined ? [] : [`${wayToStore.message}. ${wayToStore.hint}`]),
    ...(wayToWebhook === undefined
      ? []
      : [
          `${wayToWebhook.variable} names a proxy that cannot be used, and PARTWAY_WEBHOOK_URL would go through it: name its host in NO_PROXY, or set HTTPS_PROXY (HTTP_PROXY for http:) to an HTTP proxy`,
        ]),
  ];
}

/** The two files, none of them, or the fault. */
function parseTls({ PARTWAY_TLS_CERT: certPath, PARTWAY_TLS_KEY: keyPath }: Env): TlsFiles | string | undefined {
  if (certPath && keyPath) return { certPath, keyPath };
  if (certPath) return 'PARTWAY_TLS_KEY is not set (the key of the certificate in PARTWAY_TLS_CERT)';
  if (keyPath) return 'PARTWAY_TLS_CERT is not set (the certificate of the key in PARTWAY_TLS_KEY)';
  return undefined;
}
