import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import { bytesSource } from '../../../src/client/source/byte-source.ts';
import { openUpload } from '../../../src/client/transfer/open-upload.ts';
import { runUpload } from '../../../src/client/transfer/upload.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { seededBytes } from '../../support/client/sources.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const YEAR_MS = 365 * 86_400_000;

describe("a client whose clock is wrong by a year, unlike the server's and the store's", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['fast', YEAR_MS],
    ['slow', -YEAR_MS],
  ])('(%s) uploads as ever: no URL depends on its clock', async (_, offsetMs) => {
    const controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket() });
    onTestFinished(() => controlPlane.stop());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offsetMs });
    const server = new ControlPlane(controlPlane);
    const bytes = seededBytes(12 * MiB, 71);
    const source = bytesSource(bytes, 'film.mp4');
    const { session } = await openUpload({
      controlPlane: server,
      source,
      request: { strategy: 'multipart', partSize: 5 * MiB },
    });
    const retries: string[] = [];
    const result = await runUpload({
      controlPlane: server,
      session,
      source,
      onEvent: (event) => event.type === 'retry' && retries.push(event.reason),
    });
    expect(result).toMatchObject({ status: 'completed', checksum: checksumOf(bytes), bytesSent: bytes.length });
    expect(retries).toEqual([]);
  });
});
