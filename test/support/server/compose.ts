import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

type Environment = Readonly<Record<string, string>>;

export interface ComposeService {
  readonly profiles?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Environment;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly ipv4_address?: string }>>;
  readonly ports?: readonly string[];
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly deploy: { readonly resources: { readonly limits: Readonly<Record<'memory' | 'cpus', string>> } };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: { readonly replicas: { readonly ipam: { readonly config: readonly Record<'ip_range', string>[] } } };
}

/** The settings of a new .env as the head of compose.yaml describes it, and the password of the replicas' database. */
export const COMPOSE_ENV = {
  PARTWAY_TOKEN: 'the-token-of-the-compose-tests',
  PARTWAY_S3_ACCESS_KEY_ID: 'id-of-the-user',
  PARTWAY_S3_SECRET_ACCESS_KEY: 'secret-of-the-control-plane',
  PARTWAY_MINIO_ROOT_USER: 'id-of-root',
  PARTWAY_MINIO_ROOT_PASSWORD: 'secret-of-root',
  PARTWAY_POSTGRES_PASSWORD: 'secret-of-postgres',
} as const;

/** Reads compose.yaml with the values of `env`. */
export function readCompose(env: Environment = COMPOSE_ENV): ComposeFile {
  return readComposeFile('compose.yaml', env) as ComposeFile;
}

/** Reads compose.yaml with deploy/compose.shield.yaml merged over it, as if COMPOSE_FILE named both. */
export function readShieldedCompose(env: Environment = COMPOSE_ENV): ComposeFile {
  const base = readCompose(env);
  const shield = readComposeFile('deploy/compose.shield.yaml', env) as { services: Record<string, Partial<ComposeService>> };
  const services = Object.entries(shield.services).map(([name, changes]) => [name, withChanges(base.services[name], changes)]);
  return { ...base, services: { ...base.services, ...Object.fromEntries(services) } };
}

/** Merges mappings as Docker Compose does. Every list of the second file is a `!reset`, which a test ensures. */
function withChanges(service: ComposeService | undefined, { environment, depends_on, ...lists }: Partial<ComposeService>) {
  return {
    ...service,
    ...lists,
    environment: { ...service?.environment, ...environment },
    depends_on: { ...service?.depends_on, ...depends_on },
  };
}

function readComposeFile(path: string, env: Environment): unknown {
  // The parser reads `!reset []` as the empty list.
  const document: unknown = parse(readFileSync(path, 'utf8'), { merge: true, logLevel: 'error' });
  return JSON.parse(JSON.stringify(document), (_, value: unknown) =>
    typeof value === 'string' ? interpolate(value, env).replaceAll('$$', '$') : value,
  );
}

/** Interpolates variables as Docker Compose does. Defaults may contain other variables, so the innermost ones are replaced first. */
function interpolate(text: string, env: Environment): string {
  const next = text.replaceAll(/(?<!\$)\$\{(\w+)(?::([-?+])([^{}]*))?\}/g, (_, name: string, operator = '', word = '') => {
    const value = env[name] ?? '';
    if (operator === '+') return value === '' ? '' : word;
    return value === '' ? word : value;
  });
  return next === text ? text : interpolate(next, env);
}
