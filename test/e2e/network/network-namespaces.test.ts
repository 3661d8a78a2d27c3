import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { aFolder, seededBytes } from '../../support/client/sources.ts';
import { aNetworkNamespace, joinByDelay, type NetworkNamespace } from '../../support/network/network-namespace.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const SERVER_PORT = 7373;
const STORE_PORT = 9000;
/** Makes a SYN and its answer take longer than 250 ms, Node's own limit for every address but the last. */
const ONE_WAY_SECONDS = 0.2;

interface Networks {
  readonly client: NetworkNamespace;
  /** The network of control plane and store; the same as `client` if there is no link between them. */
  readonly server: NetworkNamespace;
}

/** Prepares `partway upload` in a separate network, in which control plane and store have these host names. */
async function anUpload({ client, server }: Networks, serverHost: string, storeHost: string) {
  const bucket = await createTestBucket();
  const controlPlane = await startControlPlane({
    store: sharedMinio(),
    bucket,
    publicEndpoint: `http://${storeHost}:${STORE_PORT}`,
  });
  onTestFinished(() => controlPlane.stop());
  await server.relay({ [SERVER_PORT]: controlPlane.server, [STORE_PORT]: sharedMinio().endpoint });
  const folder = await aFolder();
  const file = join(folder, 'clip.mov');
  await writeFile(file, seededBytes(12 * MiB, 73));
  const args = ['upload', file, '--json', '--strategy', 'multipart', '--part-size', '5MiB', '--max-outage', '60s'];
  const address = `http://${serverHost}:${SERVER_PORT}`;
  const cli = startCli(args, { server: address, token: controlPlane.token, through: client.prefix });
  return {
    cli,
    async expectStored() {
      const result = await cli.finished;
      expect(result.exitCode, result.stderr).toBe(0);
      expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: 12 * MiB, proof: 'full' });
      expect(await hashOfObject(sharedMinio(), bucket, 'clip.mov')).toBe(await hashOfFile(file));
      return result;
    },
  };
}

describe('an upload in a separate network', () => {
  it('reaches server and store by a name with A and AAAA records, without an IPv6 route, over slow handshakes', async (context) => {
    const server = aNetworkNamespace(context);
    const client = aNetworkNamespace(context, ['10.98.0.1 dual.test', '2001:db8::2 dual.test']);
    await joinByDelay(context, { client, server, delay: ONE_WAY_SECONDS });
    const upload = await anUpload({ client, server }, 'dual.test', 'dual.test');
    const { events } = await upload.expectStored();
    expect(events.map(({ type }) => type)).not.toContain('offline');
  }, 90_000);

  it.for([
    ['prohibit', 'EACCES'],
    ['blackhole', 'EINVAL'],
    ['unreachable', 'EHOSTUNREACH'],
  ] as const)(
    'waits while a route of kind %s closes the way to the store (%s), and goes on when it opens',
    async ([route, code], context) => {
      const network = aNetworkNamespace(context);
      network.ip('route', 'add', route, '10.98.0.1/32');
      const upload = await anUpload({ client: network, server: network }, '127.0.0.1', '10.98.0.1');
      expect(await upload.cli.event(({ type }) => type === 'offline')).toMatchObject({ what: 'the object store', reason: code });
      network.ip('route', 'delete', route, '10.98.0.1/32');
      network.ip('addr', 'add', '10.98.0.1/32', 'dev', 'lo');
      const { events } = await upload.expectStored();
      expect(events.map(({ type }) => type)).toContain('online');
    },
  );
});
