import { readFileSync } from 'node:fs';
import type { Environment } from '../core/environment.ts';
import { isSecretSetting, SETTINGS, type SettingName, type SettingWith } from './settings-table.ts';

/** Variables that are or hold a secret. A file may hold each instead: its path is in the variable with `_FILE` at the end. */
export type SecretSetting = SettingWith<{ isSecret: true }> | 'PARTWAY_TARGET_DATABASE_URL';
export const SECRET_SETTINGS: readonly SecretSetting[] = [
  ...(Object.keys(SETTINGS) as SettingName[]).filter(isSecretSetting),
  'PARTWAY_TARGET_DATABASE_URL',
];

/** Secret variables that commands beside `serve` need. */
export const DATABASE_SETTINGS = [
  'PARTWAY_DATABASE_URL',
  'PARTWAY_TARGET_DATABASE_URL',
] as const satisfies readonly SecretSetting[];

const MOST_BYTES = 64 * 1_024;

export interface SecretFiles {
  /** The environment with the contents of the files as the settings themselves. */
  readonly env: Environment;
  readonly faults: readonly string[];
  /** Settings whose file is faulty, so that no further fault is reported for them. */
  readonly faulty: ReadonlySet<string>;
}

/** Reads the secrets that are in files. A line break at the end of a file does not belong to the secret. Faults never quote contents. */
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
