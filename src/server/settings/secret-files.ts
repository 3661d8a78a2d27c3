import { readFileSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that are secret or hold a secret. Each may be given by a file instead: its path in the variable with `_FILE` at the end. */
export const SECRET_SETTINGS = [
  'PARTWAY_TOKEN',
  'PARTWAY_DATABASE_URL',
  'PARTWAY_TARGET_DATABASE_URL',
  'PARTWAY_S3_ACCESS_KEY_ID',
  'PARTWAY_S3_SECRET_ACCESS_KEY',
  'PARTWAY_S3_SIGNING_ACCESS_KEY_ID',
  'PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY',
  'PARTWAY_WEBHOOK_URL',
  'PARTWAY_WEBHOOK_SECRET',
] as const;
export type SecretSetting = (typeof SECRET_SETTINGS)[number];

/** Those that commands beside `serve` need. */
export const DATABASE_SETTINGS = [
  'PARTWAY_DATABASE_URL',
  'PARTWAY_TARGET_DATABASE_URL',
] as const satisfies readonly SecretSetting[];

const MOST_BYTES = 64 * 1_024;

export interface SecretFiles {
  /** The environment with the contents of the files as the settings themselves. */
  readonly env: Environment;
  readonly faults: readonly string[];
  /** Settings whose file is at fault: no more is to be said of them. */
  readonly faulty: ReadonlySet<string>;
}

/** Reads the secrets of these settings that are given by files. A line break at the end of a file does not belong to the secret; contents are never quoted. */
export function readSecretFiles(env: Environment, names: readonly SecretSetting[] = SECRET_SETTINGS): SecretFiles {
  const settings = { ...env };
  const faults: string[] = [];
  const faulty = new Set<string>();
  for (const name of names) {
    const path = env[`${name}_FILE`];
    // Empty counts as not set: compose files pass variables that nothing sets.
    if (!path) continue;
    const read = env[name] ? { fault: `and ${name} are both set; only one of them can be` } : readSecret(path);
    if ('fault' in read) {
      faults.push(`${name}_FILE ${read.fault}`);
      faulty.add(name);
    } else settings[name] = read.secret;
  }
  return { env: settings, faults, faulty };
}

function readSecret(path: string): { readonly secret: string } | { readonly fault: string } {
  try {
    const secret = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (secret === '') return { fault: `names an empty file, ${path}` };
    if (secret.length > MOST_BYTES) return { fault: `names ${path}, which is too long for a secret` };
    return { secret };
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    return { fault: `names ${path}, which cannot be read (${code})` };
  }
}
