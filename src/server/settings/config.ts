import { z } from 'zod';
import { parseProxies } from '../../outbound/proxy-settings.ts';
import { isKeyTemplate } from '../../session/key-template.ts';
import { ConfigError } from '../core/config-error.ts';
import type { Environment } from '../core/environment.ts';
import { Secret } from '../core/secret.ts';
import { parseOrigins } from '../http/cors.ts';
import type { TlsFiles } from '../http/tls.ts';
import { parseNetworks } from '../limits/client-address.ts';
import { parseTls, proxyFaults, signingKeyFaults, webhookFaults } from './cross-field-faults.ts';
import { auditLogPath, databaseAt, faultOfDatabase, findDataFolder } from './file-locations.ts';
import { DATABASE_SETTINGS, readSecretFiles } from './secret-files.ts';
import { describeRange, SETTINGS, type SettingName } from './settings-table.ts';
import { parseSigningSecrets } from './signing-secrets.ts';
import { unknownSettings } from './unknown-settings.ts';
import { duration, list, numberOrOff, oneOf, port, secret, text, textOr, url } from './value-schemas.ts';

/** Tokens that a client can send after `Bearer `, and that auth.ts accepts. */
const SENDABLE_TOKEN = /^[\x21-\x7e]{16,512}$/;

/** The prefix becomes part of policies and grants, so it holds no character with a meaning there (`*`, `?`, `$`), and a key can begin with it. */
const keyPrefix = z
  .string()
  .max(512, 'has more than 512 characters')
  .regex(/^[^*?$\\\p{Cc}]*$/u, 'must have no *, ?, $, backslash or control character')
  .regex(/^(?!\/)(?!.*\/\/)(?!(?:.*\/)?\.\.?\/)/, 'must have no empty, "." or ".." segment')
  .default('');

const databaseUrl = text('PARTWAY_DATABASE_URL').superRefine((value, context) => {
  const fault = faultOfDatabase(value);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const webhookSecrets = z.string().transform((value, context) => {
  const secrets = parseSigningSecrets(value);
  if (secrets !== undefined) return secrets;
  context.addIssue({
    code: 'custom',
    message: 'must be whsec_ and the base64 of 24 to 64 random bytes; two of them, with a space between, while one takes over',
  });
  return z.NEVER;
});

const schema = z.object({
  PARTWAY_HOST: textOr('PARTWAY_HOST'),
  PARTWAY_PORT: port('PARTWAY_PORT'),
  PARTWAY_TOKEN: secret('PARTWAY_TOKEN')
    .refine((token) => SENDABLE_TOKEN.test(token.reveal()), `must have ${describeRange(SETTINGS.PARTWAY_TOKEN.range)}`)
    .optional(),
  PARTWAY_TLS_CERT: text('PARTWAY_TLS_CERT').optional(),
  PARTWAY_TLS_KEY: text('PARTWAY_TLS_KEY').optional(),
  PARTWAY_TRUSTED_PROXIES: list(parseNetworks),
  PARTWAY_CORS_ORIGINS: list(parseOrigins),
  PARTWAY_DRAIN_DELAY: duration('PARTWAY_DRAIN_DELAY'),
  PARTWAY_RATE_LIMIT: numberOrOff('PARTWAY_RATE_LIMIT'),
  PARTWAY_MAX_SESSIONS: numberOrOff('PARTWAY_MAX_SESSIONS'),
  PARTWAY_DATABASE_URL: databaseUrl.optional(),
  PARTWAY_AUDIT_LOG: text('PARTWAY_AUDIT_LOG').optional(),
  PARTWAY_S3_ENDPOINT: url('PARTWAY_S3_ENDPOINT'),
  PARTWAY_S3_PUBLIC_ENDPOINT: url('PARTWAY_S3_PUBLIC_ENDPOINT').optional(),
  PARTWAY_S3_REGION: textOr('PARTWAY_S3_REGION'),
  PARTWAY_S3_BUCKET: text('PARTWAY_S3_BUCKET'),
  PARTWAY_S3_ACCESS_KEY_ID: secret('PARTWAY_S3_ACCESS_KEY_ID'),
  PARTWAY_S3_SECRET_ACCESS_KEY: secret('PARTWAY_S3_SECRET_ACCESS_KEY'),
  PARTWAY_S3_KEY_PREFIX: keyPrefix,
  PARTWAY_S3_SIGNING: oneOf(SETTINGS.PARTWAY_S3_SIGNING),
  PARTWAY_S3_SIGNING_ACCESS_KEY_ID: secret('PARTWAY_S3_SIGNING_ACCESS_KEY_ID').optional(),
  PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: secret('PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY').optional(),
  PARTWAY_S3_ALLOW_FORGERY: oneOf(SETTINGS.PARTWAY_S3_ALLOW_FORGERY).transform((value) => value === 'yes'),
  PARTWAY_S3_STALE_UPLOADS_EXPIRY: duration('PARTWAY_S3_STALE_UPLOADS_EXPIRY'),
  PARTWAY_KEY_TEMPLATE: z
    .string()
    .min(1, 'is empty')
    .max(1_024)
    .refine(isKeyTemplate, `may have ${describeRange(SETTINGS.PARTWAY_KEY_TEMPLATE.range)}`)
    .default(SETTINGS.PARTWAY_KEY_TEMPLATE.default),
  PARTWAY_SESSION_TTL: duration('PARTWAY_SESSION_TTL'),
  PARTWAY_EXPIRY_HOLD: duration('PARTWAY_EXPIRY_HOLD'),
  PARTWAY_URL_TTL: duration('PARTWAY_URL_TTL'),
  PARTWAY_WEBHOOK_URL: z
    .url({ protocol: /^https?$/, hostname: /./, error: 'must be an http:// or https:// URL' })
    .transform((value) => new Secret(value))
    .optional(),
  PARTWAY_WEBHOOK_SECRET: webhookSecrets.optional(),
} satisfies Record<SettingName, z.ZodType>);

export type Config = ReturnType<typeof parseConfig>;

/** Returns the environment of a command that works on the database, with the contents of URL files filled in. @throws ConfigError */
export function withDatabaseFiles(environment: Environment): Environment {
  const { env, faults } = readSecretFiles(environment, DATABASE_SETTINGS);
  if (faults.length > 0) throw new ConfigError(faults);
  return env;
}

/** Reads PARTWAY_SESSION_TTL alone, in milliseconds, for commands that only read the database. @throws ConfigError */
export function parseSessionTtl(env: Environment): number {
  const parsed = schema.pick({ PARTWAY_SESSION_TTL: true }).safeParse(env);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`));
  return parsed.data.PARTWAY_SESSION_TTL;
}

/**
 * Reads the server's settings from the environment.
 * @param faultsOf Checks the certificate files, so that their faults are reported with all others.
 * @throws ConfigError naming every fault.
 */
export function parseConfig(environment: Environment, faultsOf: (files: TlsFiles) => readonly string[] = () => []) {
  const { env, faults: fileFaults, faulty } = readSecretFiles(environment);
  const unknown = unknownSettings(environment);
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
  const dataFolder = findDataFolder(env);
  const database = databaseAt(data.PARTWAY_DATABASE_URL, dataFolder);
  return {
    /** Texts for the log about variables that look like settings but are not. */
    unknown,
    host: data.PARTWAY_HOST,
    port: data.PARTWAY_PORT,
    adminToken: data.PARTWAY_TOKEN,
    /** Most unfinished sessions of a token that has no limit of its own; null is no limit. */
    maxOpenSessions: data.PARTWAY_MAX_SESSIONS,
    /** How long the server still accepts requests after it was asked to stop. */
    drainDelayMs: data.PARTWAY_DRAIN_DELAY,
    database,
    dataFolder,
    /** Undefined where no audit log is kept. */
    auditPath: auditLogPath(data.PARTWAY_AUDIT_LOG, database, dataFolder),
    edge: {
      tls,
      trustedProxies: data.PARTWAY_TRUSTED_PROXIES,
      corsOrigins: data.PARTWAY_CORS_ORIGINS,
      /** Limit for one token; null is no limit. */
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
    /** How long the clock must be steady, and agree with other clocks, before anything expires. */
    expiryHoldMs: data.PARTWAY_EXPIRY_HOLD,
    /** Undefined where there is no webhook. */
    webhook: webhookOf(data),
    /** The proxies of the environment, for the connections to store and webhook. */
    proxies,
    policy: {
      sessionTtlMs: data.PARTWAY_SESSION_TTL,
      staleUploadsExpiryMs: data.PARTWAY_S3_STALE_UPLOADS_EXPIRY,
      keyTemplate: data.PARTWAY_KEY_TEMPLATE,
      allowForgery: data.PARTWAY_S3_ALLOW_FORGERY,
      urlTtlSeconds: Math.floor(data.PARTWAY_URL_TTL / 1_000),
    },
  };
}

/** Credentials that part URLs are signed with. Setting a key pair chooses it. */
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

function webhookOf({ PARTWAY_WEBHOOK_URL: url, PARTWAY_WEBHOOK_SECRET: secrets }: z.output<typeof schema>) {
  return url === undefined || secrets === undefined ? undefined : { url, secrets };
}
