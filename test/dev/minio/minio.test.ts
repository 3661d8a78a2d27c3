import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { launchBinary } from '../../../src/dev/minio/binary.ts';
import { type RunningMinio, type StartMinioOptions, startMinio } from '../../../src/dev/minio/minio.ts';
import { freePort, isPortFree } from '../../../src/dev/process/free-port.ts';
import { answersOk } from '../../../src/dev/process/server-process.ts';
import { SetupError } from '../../../src/dev/process/setup-error.ts';
import type { Host } from '../../../src/dev/process/user-folders.ts';
import { sharedMinio } from '../../support/store/minio.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'partway-test-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(options: Partial<StartMinioOptions> = {}): Promise<RunningMinio> {
  const minio = await startMinio({ log: () => {}, ...options });
  cleanups.push(() => minio.stop());
  return minio;
}

/** A host with nothing installed, except the given programs, which are shell scripts. */
async function bareHost(programs: Record<string, string> = {}): Promise<Host & { folder: string }> {
  const folder = await temporaryFolder();
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  return { folder, platform: 'linux', env: { PATH: [folder, '/nowhere'].join(delimiter), HOME: folder } };
}

function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: RunningMinio): S3Client {
  const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  onTestFinished(() => client.destroy());
  return client;
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('startMinio', () => {
  it('resolves when MinIO is ready and the bucket exists', async () => {
    const minio = await start({ bucket: 'uploads' });
    const client = clientOf(minio);
    await client.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'a', Body: 'stored' }));
    const stored = await client.send(new GetObjectCommand({ Bucket: 'uploads', Key: 'a' }));
    expect(await stored.Body?.transformToString()).toBe('stored');
  });

  it('keeps port, credentials and data across a kill and a restart', async () => {
    const minio = await start({ bucket: 'uploads' });
    const client = clientOf(minio);
    await client.send(new PutObjectCommand({ Bucket: 'uploads', Key: 'a', Body: 'stored' }));
    const before = minio.pid;

    await minio.kill();
    expect(isAlive(before)).toBe(false);
    expect(await answersOk(`${minio.endpoint}/minio/health/cluster`)).toBe(false);

    await minio.restart();
    expect(minio.pid).not.toBe(before);
    const stored = await client.send(new GetObjectCommand({ Bucket: 'uploads', Key: 'a' }));
    expect(await stored.Body?.transformToString()).toBe('stored');
  });

  it('leaves neither a process nor temporary data after stop, which can be repeated', async () => {
    const minio = await start();
    const { pid, dataDir } = minio;
    expect(isAlive(pid)).toBe(true);
    await minio.stop();
    await minio.stop();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(dataDir ?? '')).toBe(false);
  });

  it('keeps a data folder that the caller named, and the bucket in it', async () => {
    const dataDir = join(await temporaryFolder(), 'data');
    const credentials = { accessKeyId: 'developer', secretAccessKey: randomBytes(16).toString('hex') };
    const first = await start({ dataDir, credentials, bucket: 'uploads' });
    await first.stop();
    expect(existsSync(join(dataDir, 'uploads'))).toBe(true);
    await start({ dataDir, credentials, bucket: 'uploads' });
  });

  it('creates different credentials for every MinIO', async () => {
    const [first, second] = await Promise.all([start(), start()]);
    expect(first.secretAccessKey).not.toBe(second.secretAccessKey);
    expect(first.endpoint).not.toBe(second.endpoint);
  });

  it('refuses a port that the caller named if it is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    cleanups.push(() => new Promise((resolve) => other.close(() => resolve())));
    await new Promise((resolve) => other.once('listening', resolve));
    const port = (other.address() as { port: number }).port;
    await expect(start({ port })).rejects.toThrow(`Port ${port} of 127.0.0.1 is in use`);
  });
});

describe('when the process that started MinIO ends', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('MinIO ends and its temporary data is removed: %s', async (signal) => {
    const script = `import { startMinio } from '${pathToFileURL(resolve('dist/dev/minio/minio.js'))}';
const { endpoint, dataDir } = await startMinio({ log: () => {} });
console.log(JSON.stringify({ endpoint, dataDir }));
setInterval(() => {}, 60_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const { endpoint, dataDir } = JSON.parse(String((await once(child.stdout, 'data'))[0]));
    child.kill(signal);
    expect((await closed)[0]).toBe(128 + constants.signals[signal]);
    expect(existsSync(dataDir)).toBe(false);
    await expect.poll(() => isPortFree(Number(new URL(endpoint).port)), { timeout: 60_000 }).toBe(true);
  });
});

describe('a MinIO that does not come up', () => {
  it('is reported with its last output, in which credentials are hidden', async () => {
    const host = await bareHost({ minio: 'echo "FATAL no luck with $MINIO_ROOT_USER $MINIO_ROOT_PASSWORD" >&2; exit 3' });
    const credentials = { accessKeyId: 'somebody', secretAccessKey: 'not-to-be-seen' };
    const failure = await start({ host, credentials }).catch((error: Error) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(String(failure)).toContain('MinIO did not start. MinIO ended with exit code 3');
    expect(String(failure)).toContain('FATAL no luck with *** ***');
  });

  it('is tried on other ports while its port is in use', async () => {
    const host = await bareHost({
      minio: 'echo x >> "$HOME/tries"; echo "FATAL Specified port is already in use" >&2; exit 1',
    });
    await expect(start({ host })).rejects.toThrow('already in use');
    expect(await readFile(join(host.folder, 'tries'), 'utf8')).toBe('x\n'.repeat(5));
  });

  it('is not mistaken for another MinIO that answers on its port', async () => {
    const { endpoint } = sharedMinio();
    // This is a lost race for the port: the server that has it is healthy, ours fails a moment later.
    const host = await bareHost({ minio: 'read -r line < "$HOME/gate"; echo "FATAL port is already in use" >&2; exit 1' });
    execFileSync('mkfifo', [join(host.folder, 'gate')]);
    const site = {
      dataDir: host.folder,
      port: Number(new URL(endpoint).port),
      credentials: { accessKeyId: 'somebody', secretAccessKey: 'else-entirely' },
      settings: {},
      host,
      log: () => {},
    };
    const launching = launchBinary(join(host.folder, 'minio'), site).then(
      () => 'ready',
      (error: Error) => error.message,
    );
    await answersOk(`${endpoint}/minio/health/cluster`);
    await writeFile(join(host.folder, 'gate'), 'go\n');
    expect(await launching).toContain('MinIO did not start');
  });
});

describe('finding MinIO', () => {
  it('prefers an endpoint from the environment, and neither starts nor stops anything there', async () => {
    const given = sharedMinio();
    const lines: string[] = [];
    const host = await bareHost({ minio: 'exit 1' });
    const env = {
      ...host.env,
      PARTWAY_DEV_S3_ENDPOINT: given.endpoint,
      PARTWAY_DEV_S3_ACCESS_KEY_ID: given.accessKeyId,
      PARTWAY_DEV_S3_SECRET_ACCESS_KEY: given.secretAccessKey,
    };
    const bucket = `test-${randomBytes(8).toString('hex')}`;
    const minio = await start({ host: { ...host, env }, bucket, log: (line) => lines.push(line) });
    expect(minio).toMatchObject({ ...given, bucket, pid: undefined, dataDir: undefined });
    await expect(minio.kill()).rejects.toThrow('was not started here');
    await minio.stop();
    expect(await answersOk(`${given.endpoint}/minio/health/cluster`)).toBe(true);
    expect(lines.join()).not.toContain(given.secretAccessKey);
  });

  it('asks for the credentials of a given endpoint', async () => {
    const host = await bareHost();
    const env = { ...host.env, PARTWAY_DEV_S3_ENDPOINT: 'http://127.0.0.1:1' };
    await expect(start({ host: { ...host, env } })).rejects.toThrow('PARTWAY_DEV_S3_SECRET_ACCESS_KEY');
  });

  it('lists what the user can do if there is no way to get one', async () => {
    const failure = await start({ host: await bareHost() }).catch((error: Error) => error);
    expect(failure).toBeInstanceOf(SetupError);
    const message = String(failure);
    for (const choice of ['https://go.dev/dl/', 'minio program on PATH', 'Docker', 'PARTWAY_DEV_S3_ENDPOINT']) {
      expect(message).toContain(choice);
    }
  });

  it('says why neither Go nor Docker worked', async () => {
    const host = await bareHost({
      go: 'echo "go: invalid go version" >&2; exit 1',
      docker: 'if [ "$1" = info ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi',
    });
    const failure = String(await start({ host }).catch((error: Error) => error));
    expect(failure).toContain('go install failed (exit code 1):\ngo: invalid go version');
    expect(failure).toContain('docker info failed: Cannot connect to the Docker daemon');
  });

  it('starts only the MinIO of compose.yaml with Docker, and passes the credentials in the environment', async () => {
    const host = await bareHost({
      docker: `echo "$@" >> "$HOME/calls"
case "$*" in *" up "*) echo "no space for $PARTWAY_MINIO_DATA on port $PARTWAY_MINIO_PORT" >&2; exit 1;; esac`,
    });
    const credentials = { accessKeyId: 'somebody', secretAccessKey: 'not-to-be-seen' };
    const dataDir = join(host.folder, 'data');
    await expect(start({ host, credentials, dataDir, port: await freePort() })).rejects.toThrow(
      `no space for ${dataDir} on port 2`,
    );
    const calls = await readFile(join(host.folder, 'calls'), 'utf8');
    expect(calls).toMatch(/compose --file \S+compose\.yaml --project-name partway-dev-\w+ up --detach --wait minio\n/);
    // Remains of a failed start are removed.
    expect(calls).toMatch(/ down --timeout 10\n$/);
    expect(calls).not.toContain(credentials.secretAccessKey);
  });

  it('passes to Docker every variable that compose.yaml demands, and the given origins', async () => {
    const host = await bareHost({ docker: 'case "$*" in *" up "*) export -p > "$HOME/exported"; exit 1;; esac' });
    const env = { MINIO_API_CORS_ALLOW_ORIGIN: 'http://127.0.0.1:1,https://app.example.com' };
    await expect(start({ host, env })).rejects.toThrow('docker compose could not start MinIO');
    const exported = await readFile(join(host.folder, 'exported'), 'utf8');
    for (const [, name] of (await readFile('compose.yaml', 'utf8')).matchAll(/\$\{(\w+):\?/g))
      expect(exported).toMatch(new RegExp(`^export ${name}=.`, 'm'));
    expect(exported).toMatch(/^export PARTWAY_PUBLIC_ORIGIN=.http:\/\/127\.0\.0\.1:1,https:\/\/app\.example\.com.$/m);
  });

  it('builds with Go into the cache folder, and runs the result', async () => {
    const host = await bareHost({
      // Stands in for the real build, which takes three minutes. The program that it puts into GOBIN is run.
      go: `[ "$1 $2" = "install -v" ] || exit 9
printf '#!/bin/sh\\necho built and run; exit 4\\n' > "$GOBIN/minio" && /bin/chmod +x "$GOBIN/minio"`,
    });
    await expect(start({ host })).rejects.toThrow(/exit code 4[\s\S]*built and run/);
    expect(existsSync(join(host.folder, '.cache/partway/minio'))).toBe(true);
    // The build is kept: the second time, Go is not needed.
    await rm(join(host.folder, 'go'));
    await expect(start({ host })).rejects.toThrow('exit code 4');
  });
});
