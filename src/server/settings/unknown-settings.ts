import { didYouMean } from '../../text/did-you-mean.ts';
import type { Environment } from '../core/environment.ts';
import { SECRET_SETTINGS } from './secret-files.ts';
import { SETTINGS } from './settings-table.ts';

const PREFIX = 'PARTWAY_';

/** Variables of clients, of commands beside `serve`, and of compose.yaml, which may be in the same environment. */
const OTHER_VARIABLES = [
  'PARTWAY_SERVER',
  'PARTWAY_DEBUG',
  'PARTWAY_TARGET_DATABASE_URL',
  'PARTWAY_BIND',
  'PARTWAY_MEMORY',
  'PARTWAY_CPUS',
];
const OTHER_PREFIXES = [
  'DEV_',
  'TEST_',
  'MINIO_',
  'POSTGRES_',
  'BALANCER_',
  'REPLICA',
  'SHIELD_',
  'PUBLIC_',
  'NODE_',
  'GOLANG_',
  'ALPINE_',
].map((rest) => PREFIX + rest);

/** Describes variables that look like settings of the server but are not: otherwise a misspelt one would silently have no effect. */
export function unknownSettings(env: Environment): readonly string[] {
  const known = [...Object.keys(SETTINGS), ...SECRET_SETTINGS.map((name) => `${name}_FILE`)];
  const variables = new Set([...known, ...OTHER_VARIABLES]);
  return Object.keys(env)
    .filter(
      (name) => name.startsWith(PREFIX) && !variables.has(name) && !OTHER_PREFIXES.some((prefix) => name.startsWith(prefix)),
    )
    .sort()
    .map((name) => describe(name, known));
}

function describe(name: string, known: readonly string[]): string {
  const withoutPrefix = (setting: string) => setting.slice(PREFIX.length);
  const similar = didYouMean(withoutPrefix(name), known.map(withoutPrefix));
  return `${name} is not a setting of the server and has no effect${similar === undefined ? '' : `. Did you mean ${PREFIX}${similar}?`}`;
}
