import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/server/config.ts';
import { isWithin } from '../../src/server/edge/client-address.ts';

interface Service {
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly ipv4_address?: string }>>;
  readonly ports?: readonly string[];
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly deploy: { readonly resources: { readonly limits: Readonly<Record<'memory' | 'cpus', string>> } };
}
interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: { readonly replicas: { readonly ipam: { readonly config: readonly Record<'ip_range', string>[] } } };
}

const source = readFileSync('compose.yaml', 'utf8');
const ENV = {
  PARTWAY_TOKEN: 'the-token-of-the-compose-tests',
  PARTWAY_S3_SECRET_ACCESS_KEY: 'secret-of-the-control-plane',
  PARTWAY_MINIO_ROOT_PASSWORD: 'secret-of-root',
  PARTWAY_POSTGRES_PASSWORD: 'secret-of-postgres',
};

/** With the values of `env`, as Docker Compose does it: defaults hold other variables, so the innermost comes first. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  const next = text.replaceAll(/\$\{(\w+)(?::[-?]([^{}]*))?\}/g, (_, name: string, otherwise = '') => env[name] || otherwise);
  return next === text ? text : interpolate(next, env);
}

const { services, networks } = JSON.parse(JSON.stringify(parse(source, { merge: true })), (_, value: unknown) =>
  typeof value === 'string' ? interpolate(value, ENV) : value,
) as ComposeFile;
const service = (name: string): Service => {
  const found = services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
};
/** What starts where a service is named: it, and what it depends on. */
function startedBy(name: string): string[] {
  const needed = Object.keys(service(name).depends_on ?? {});
  return [...new Set([name, ...needed.flatMap(startedBy)])].sort();
}
const REPLICAS = ['replica-1', 'replica-2'];

describe('compose.yaml', () => {
  it('starts one control plane and its MinIO where no profile is named', () => {
    const names = Object.keys(services).filter((name) => service(name).profiles === undefined);
    expect(names.sort()).toEqual(['control-plane', 'minio', 'setup']);
  });

  it('starts two replicas, their database and the same MinIO behind the balancer, without the single control plane', () => {
    expect(startedBy('balancer')).toEqual(['balancer', 'minio', 'postgres', 'replica-1', 'replica-2', 'setup']);
  });

  it('keeps the single control plane and the balancer from serving together: they want the same port', () => {
    expect(service('balancer').ports).toEqual(service('control-plane').ports);
  });

  it('demands nothing for the profile where it is not used', () => {
    const demanded = [...source.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name);
    expect([...new Set(demanded)].sort()).toEqual([
      'PARTWAY_MINIO_ROOT_PASSWORD',
      'PARTWAY_S3_SECRET_ACCESS_KEY',
      'PARTWAY_TOKEN',
    ]);
  });

  it("hands MinIO's root key to MinIO and to the service that makes the bucket alone", () => {
    const holders = Object.keys(services).filter((name) => JSON.stringify(service(name)).includes('secret-of-root'));
    expect(holders.sort()).toEqual(['minio', 'setup']);
  });

  it.each(Object.keys(services))('limits what %s may do and use', (name) => {
    const { cap_drop, security_opt, deploy } = service(name);
    expect(cap_drop).toEqual(['ALL']);
    expect(security_opt).toEqual(['no-new-privileges:true']);
    expect(deploy.resources.limits).toEqual({
      memory: expect.stringMatching(/^\d+[mg]$/),
      cpus: expect.stringMatching(/^\d\.\d$/),
    });
  });

  it('publishes on loopback, and neither the database nor a replica', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
    expect(published.sort()).toEqual([
      'balancer 127.0.0.1:7373:7373',
      'control-plane 127.0.0.1:7373:7373',
      'minio 127.0.0.1:9000:9000',
    ]);
  });
});

describe('a replica of compose.yaml', () => {
  const configOf = (name: string) => parseConfig(service(name).environment ?? {});

  it.each(REPLICAS)('%s has settings that the server takes, and the database of the profile', (name) => {
    const { database } = configOf(name);
    expect(database).toMatchObject({ kind: 'postgres' });
    expect(database.kind === 'postgres' && database.url.reveal()).toBe('postgres://partway:secret-of-postgres@postgres/partway');
  });

  it('has the same settings as the other one', () => {
    expect(service('replica-1').environment).toEqual(service('replica-2').environment);
  });

  it('believes the balancer, and no other container', () => {
    const { trustedProxies } = configOf('replica-1').edge;
    const attached = service('balancer').networks as Readonly<Record<string, { readonly ipv4_address?: string }>>;
    const address = attached.replicas?.ipv4_address ?? '';
    expect(isWithin(trustedProxies, address)).toBe(true);
    const [handedOut] = networks.replicas.ipam.config.map(({ ip_range }) => ip_range.split('/')[0] ?? '');
    expect(isWithin(trustedProxies, handedOut ?? '')).toBe(false);
    expect(Number(address.split('.').at(-1))).toBeLessThan(Number(handedOut?.split('.').at(-1)));
  });

  it('goes on after SIGTERM until the balancer has noticed', () => {
    const [, seconds, checks] = /inter (\d+)s fall (\d+)/.exec(readFileSync('deploy/haproxy.cfg', 'utf8')) ?? [];
    expect(configOf('replica-1').drainDelayMs).toBeGreaterThan(Number(seconds) * Number(checks) * 1_000);
  });
});

describe('every base image', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  const operations = readFileSync('docs/operations.md', 'utf8');

  it('can be set, by digest too: no line names one itself', () => {
    const froms = [...`${dockerfile}\n${source}`.matchAll(/^ *FROM (\S+)/gm)].map(([, image]) => image);
    expect(froms).toHaveLength(4);
    for (const image of froms) expect(image).toMatch(/^\${1,2}\{?PARTWAY_[A-Z]+_IMAGE\}?$/);
    const images = [...source.matchAll(/^ *image: (\S+)/gm)]
      .map(([, image]) => image)
      .filter((image) => image !== 'partway:local');
    for (const image of images) expect(image).toMatch(/^\$\{PARTWAY_[A-Z]+_IMAGE:-/);
  });

  it('has the same default in all places, and is in docs/operations.md', () => {
    const defaults = [
      ...dockerfile.matchAll(/^ARG (PARTWAY_\w+_IMAGE)=(\S+)/gm),
      ...source.matchAll(/\$\{(PARTWAY_\w+_IMAGE):-([^}]+)\}/g),
    ].map(([, name, image]) => `${name} ${image}`);
    // MinIO is built here.
    const pinned = [...new Set(defaults)].filter((line) => !line.startsWith('PARTWAY_MINIO_IMAGE '));
    expect(pinned).toHaveLength(5);
    for (const line of pinned) expect(operations).toContain(`pin ${line}\n`.trimEnd());
  });
});
