import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlPlane } from '../../../src/client/index.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { GiB, MiB } from '../../../src/session/part-plan.ts';
import { type CliEvent, startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { aLargeFolder } from '../../support/files/large-folder.ts';
import { type ByteProxy, startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, removeLargeObject, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject, testSeed } from '../../support/store/stored-bytes.ts';

const PARTS_IN_FLIGHT = 4;
const PART_SIZE = 8 * MiB;

describe('1 GiB, killed -9 and resumed', () => {
  let folder: string;
  let file: string;
  let bucket: string;
  let proxy: ByteProxy;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = aLargeFolder();
    file = join(folder, 'film.mp4');
    await ensureGeneratedFile(file, GiB);
    bucket = await createTestBucket();
    proxy = await startByteProxy(sharedMinio().endpoint);
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket, publicEndpoint: proxy.url });
  });
  afterAll(async () => {
    await removeLargeObject(bucket, 'film.mp4');
    await controlPlane.stop();
    await proxy.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('sends only the parts in flight again, from another folder, with only the session id and the file', async () => {
    const seed = testSeed();
    const killAtPart = 10 + (seed % 100);
    const first = startCli(['upload', 'film.mp4', '--concurrency', '4', '--json'], { ...controlPlane, cwd: folder });
    const session = await first.event((event) => event.type === 'session');
    let parts = 0;
    await first.event((event) => event.type === 'part' && ++parts >= killAtPart);
    first.child.kill('SIGKILL');
    await first.finished;

    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    const sessionId = sessionIdOf(session);
    const held = await new ControlPlane(controlPlane).parts(sessionId);
    expect(held.storedBytes, `seed ${seed}`).toBeGreaterThanOrEqual(killAtPart * PART_SIZE);
    const second = await startCli(['resume', sessionId, file, '--json'], { ...controlPlane, cwd: elsewhere }).finished;

    expect(second.exitCode, second.stderr).toBe(0);
    const summary = summaryOf(second);
    expect(summary).toMatchObject({ sessionId, status: 'completed', bytes: GiB });
    // No part that the store held is sent again (a part of the killed client may have arrived after the listing) …
    expect(summary.bytesSent, `seed ${seed}`).toBeLessThanOrEqual(GiB - held.storedBytes);
    expect(summary.bytesSent, `seed ${seed}`).toBeGreaterThanOrEqual(GiB - held.storedBytes - PARTS_IN_FLIGHT * PART_SIZE);
    // … and both runs together wasted at most the parts in flight. Request headers take below 2 KiB a part.
    const wasted = proxy.bytesUp - GiB - 130 * 2 * 1024;
    expect(wasted, `seed ${seed}`).toBeLessThanOrEqual(PARTS_IN_FLIGHT * PART_SIZE);
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(file));
  });
});

function sessionIdOf(event: CliEvent): string {
  return (event.session as { sessionId: string } | undefined)?.sessionId ?? String(event.sessionId);
}
