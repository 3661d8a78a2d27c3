import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isWithin } from '../../src/server/limits/client-address.ts';
import { parseConfig } from '../../src/server/settings/config.ts';
import { COMPOSE_ENV, type ComposeService, readCompose, readShieldedCompose } from '../support/server/compose.ts';

const source = readFileSync('compose.yaml', 'utf8');
const { services, networks } = readCompose();
const service = (name: string): ComposeService => {
  const found = services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
};
/** The services that start if one is named: that service, and those that it depends on. */
function startedBy(name: string): string[] {
  const needed = Object.keys(service(name).depends_on ?? {});
  return [...new Set([name, ...needed.flatMap(startedBy)])].sort();
}
const REPLICAS = ['replica-1', 'replica-2'];

describe('compose.yaml', () => {
  it('starts one control plane and its MinIO if no profile is named', () => {
    const names = Object.keys(services).filter((name) => service(name).profiles === undefined);
    expect(names.sort()).toEqual(['control-plane', 'minio', 'setup']);
  });

  it('starts two replicas, their database and the same MinIO behind the balancer, without the single control plane', () => {
    expect(startedBy('balancer')).toEqual(['balancer', 'minio', 'postgres', 'replica-1', 'replica-2', 'setup']);
  });

  it('keeps the single control plane and the balancer from serving together, because both want the same port', () => {
    expect(service('balancer').ports).toEqual(service('control-plane').ports);
  });

  it('demands nothing for the profile if it is not used', () => {
    const demanded = [...source.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name);
    expect([...new Set(demanded)].sort()).toEqual([
      'PARTWAY_MINIO_ROOT_PASSWORD',
      'PARTWAY_MINIO_ROOT_USER',
      'PARTWAY_S3_ACCESS_KEY_ID',
      'PARTWAY_S3_SECRET_ACCESS_KEY',
      'PARTWAY_TOKEN',
    ]);
  });

  it("gives MinIO's root key only to MinIO and to the service that creates the bucket", () => {
    for (const secret of ['secret-of-root', 'id-of-root']) {
      const holders = Object.keys(services).filter((name) => JSON.stringify(service(name)).includes(secret));
      expect(holders.sort()).toEqual(['minio', 'setup']);
    }
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
      // Starts only with deploy/compose.shield.yaml, which takes this port away from MinIO.
      'shield 127.0.0.1:9000:9000',
    ]);
  });

  it('says in its head how to create every setting that it demands', () => {
    const recipe = source.slice(0, source.indexOf('name: partway'));
    for (const [, name] of source.matchAll(/\$\{(\w+):\?/g))
      expect(recipe).toMatch(new RegExp(`#   ${name}=\\$\\(openssl rand -hex \\d+\\)`));
  });
});

describe('compose.yaml with deploy/compose.shield.yaml', () => {
  const shielded = readShieldedCompose().services;
  const overlay = readFileSync('deploy/compose.shield.yaml', 'utf8');

  it("publishes the shield at MinIO's port, and publishes no port of MinIO", () => {
    expect(shielded.minio?.ports).toEqual([]);
    expect(shielded.shield?.ports).toEqual(service('minio').ports);
  });

  it('starts the shield without a profile, and sends every control plane through it', () => {
    expect(service('shield').profiles).toEqual(['shield']);
    expect(shielded.shield?.profiles).toEqual([]);
    for (const name of ['control-plane', ...REPLICAS]) {
      expect(shielded[name]?.environment?.PARTWAY_S3_ENDPOINT).toBe('http://shield:9000');
      expect(shielded[name]?.depends_on).toEqual({
        ...service(name).depends_on,
        shield: { condition: 'service_healthy' },
      });
    }
  });

  it('lets setup reach MinIO directly, because the shield refuses the admin API', () => {
    expect(shielded.setup?.environment?.PARTWAY_S3_ENDPOINT).toBe('http://minio:9000');
  });

  it('resets whole lists, because Docker Compose would otherwise add to them', () => {
    const lists = [...overlay.matchAll(/^ +(?!#).*\[.*$/gm)].map(([line]) => line.trim());
    expect(lists).toEqual(['ports: !reset []', 'profiles: !reset []']);
  });
});

describe('the origins whose pages may send parts to the MinIO of compose.yaml', () => {
  const origins = (env: Record<string, string>) =>
    readCompose({ ...COMPOSE_ENV, ...env }).services.minio?.environment?.MINIO_API_CORS_ALLOW_ORIGIN;

  it.each<[Record<string, string>, string]>([
    [{}, 'http://127.0.0.1:7373'],
    [{ PARTWAY_PORT: '8080' }, 'http://127.0.0.1:8080'],
    [
      { PARTWAY_CORS_ORIGINS: 'https://a.example,https://b.example' },
      'http://127.0.0.1:7373,https://a.example,https://b.example',
    ],
    [
      { PARTWAY_PUBLIC_ORIGIN: 'https://up.example', PARTWAY_CORS_ORIGINS: 'https://a.example' },
      'https://up.example,https://a.example',
    ],
  ])('with %o are %s', (env, expected) => {
    expect(origins(env)).toBe(expected);
  });
});

describe('a replica of compose.yaml', () => {
  const configOf = (name: string) => parseConfig(service(name).environment ?? {});

  it.each(REPLICAS)('%s has settings that the server accepts, and the database of the profile', (name) => {
    const { database } = configOf(name);
    expect(database).toMatchObject({ kind: 'postgres' });
    expect(database.kind === 'postgres' && database.url.reveal()).toBe('postgres://partway:secret-of-postgres@postgres/partway');
  });

  it('has the same settings as the other one', () => {
    expect(service('replica-1').environment).toEqual(service('replica-2').environment);
  });

  it('trusts the balancer, and no other container', () => {
    const { trustedProxies } = configOf('replica-1').edge;
    const attached = service('balancer').networks as Readonly<Record<string, { readonly ipv4_address?: string }>>;
    const address = attached.replicas?.ipv4_address ?? '';
    expect(isWithin(trustedProxies, address)).toBe(true);
    const [handedOut] = networks.replicas.ipam.config.map(({ ip_range }) => ip_range.split('/')[0] ?? '');
    expect(isWithin(trustedProxies, handedOut ?? '')).toBe(false);
    expect(Number(address.split('.').at(-1))).toBeLessThan(Number(handedOut?.split('.').at(-1)));
  });

  it('keeps serving after SIGTERM until the balancer has noticed', () => {
    const [, seconds, checks] = /inter (\d+)s fall (\d+)/.exec(readFileSync('deploy/haproxy.cfg', 'utf8')) ?? [];
    expect(configOf('replica-1').drainDelayMs).toBeGreaterThan(Number(seconds) * Number(checks) * 1_000);
  });
});

describe('every base image', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  const operations = readFileSync('docs/operations.md', 'utf8');

  it('can be set by a variable: no line names an image without one', () => {
    const froms = [...`${dockerfile}\n${source}`.matchAll(/^ *FROM (\S+)/gm)].map(([, image]) => image);
    expect(froms).toHaveLength(4);
    for (const image of froms) expect(image).toMatch(/^\${1,2}\{?PARTWAY_[A-Z]+_IMAGE\}?$/);
    const images = [...source.matchAll(/^ *image: (\S+)/gm)]
      .map(([, image]) => image)
      .filter((image) => image !== 'partway:local');
    for (const image of images) expect(image).toMatch(/^\$\{PARTWAY_[A-Z]+_IMAGE:-/);
  });

  it('has the same default everywhere, a tag with its digest, and docs/operations.md names the tag', () => {
    const defaults = [
      ...dockerfile.matchAll(/^ARG (PARTWAY_\w+_IMAGE)=(\S+)/gm),
      ...source.matchAll(/\$\{(PARTWAY_\w+_IMAGE):-([^}]+)\}/g),
    ].map(([, name, image]) => `${name} ${image}`);
    // MinIO's image is built here, so it has no digest.
    const pinned = [...new Set(defaults)].filter((line) => !line.startsWith('PARTWAY_MINIO_IMAGE '));
    expect(pinned).toHaveLength(5);
    for (const line of pinned) {
      const [tagged = '', digest] = line.split('@');
      expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(operations).toContain(`pin ${tagged}`);
    }
  });
});
