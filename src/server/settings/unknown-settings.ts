import { didYouMean } from '../../text/did-you-mean.ts';
import { SECRET_SETTINGS } from './secret-files.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'PARTWAY_';

/** Variables of clients, of commands beside `serve`, and of compose.yaml, which may be in the same environment. */
const OF_OTHERS = [
  'PARTWAY_SERVER',
  'PARTWAY_DEBUG',
  'PARTWAY_TARGET_DATABASE_URL',
  'PARTWAY_BIND',
  'PARTWAY_MEMORY',
  'PARTWAY_CPUS',
];
const PREFIXES_OF_OTHERS = [
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

/** Tells of variables that look like settings of the server and are none: a misspelt one would have no effect, without a word. */
export function unknownSettings(env: Environment, settings: readonly string[]): readonly string[] {
  const known = [...settings, ...SECRET_SETTINGS.map((name) => `${name}_FILE`)];
  const others = new Set([...known, ...OF_OTHERS]);
  return Object.keys(env)
    .filter(
      (name) => name.startsWith(PREFIX) && !others.has(name) && !PREFIXES_OF_OTHERS.some((prefix) => name.startsWith(prefix)),
    )
    .sort()
    .map((name) => describe(name, known));
}

function describe(name: string, known: readonly string[]): string {
  const withoutPrefix = (setting: string) => setting.slice(PREFIX.length);
  const meant = didYouMean(withoutPrefix(name), known.map(withoutPrefix));
  return `${name} is no setting of the server and has no effect${meant === undefined ? '' : `. Did you mean ${PREFIX}${meant}?`}`;
}
