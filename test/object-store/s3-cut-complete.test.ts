import { describe, expect, it } from 'vitest';
import { ObjectStoreError, type ObjectStoreFailure } from '../../src/object-store/port.ts';
import { checksumOf } from '../suites/object-store.ts';
import { startFaultProxy } from '../support/proxies/fault-proxy.ts';
import { resetsAfter } from '../support/proxies/faults.ts';
import { sharedMinio } from '../support/store/minio.ts';
import { anS3Store, putPart, type S3Store } from '../support/store/s3-stores.ts';

/** There are milliseconds between the cut and MinIO's last write, and each round meets another moment. */
const ROUNDS = 24;
const BYTES = Buffer.from('bytes of one part');
const CHECKSUM = checksumOf(BYTES);

async function failureOf(call: Promise<unknown>): Promise<ObjectStoreFailure | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof ObjectStoreError) return error.failure;
    throw error;
  }
}

/** Acts as a client: sends unlisted parts again and completes, until there is an object or no upload. */
async function settle(store: S3Store, key: string, uploadId: string): Promise<'object' | 'no upload'> {
  for (;;) {
    if ((await store.headObject(key))?.checksum === CHECKSUM) return 'object';
    try {
      // A refused part does not matter here: the listing tells the reason.
      if ((await store.listParts(key, uploadId)).length === 0) await putPart(store, key, uploadId, 1, BYTES).catch(() => {});
      const parts = await store.listParts(key, uploadId);
      await store.completeMultipartUpload({ key, uploadId, parts, checksum: CHECKSUM, onlyIfAbsent: true });
    } catch (error) {
      const failure = error instanceof ObjectStoreError ? error.failure : undefined;
      if (failure === 'upload-missing') return (await store.headObject(key)) ? 'object' : 'no upload';
      // The cut Complete may still be running: the next round tells more.
      if (failure !== 'part-invalid' && failure !== 'object-exists') throw error;
    }
  }
}

describe('a Complete whose connection breaks', () => {
  it('leaves the object, a usable upload or a missing one, but never one that refuses the right checksum', async () => {
    const proxy = await startFaultProxy(sharedMinio().endpoint);
    const direct = await anS3Store();
    const cut = await anS3Store({ bucket: direct.bucket, endpoint: proxy.url });
    proxy.inject(resetsAfter(1), ({ method }) => method === 'POST');
    for (let round = 0; round < ROUNDS; round++) {
      const key = `round ${round}`;
      const { uploadId } = await direct.createMultipartUpload({
        key,
        contentType: null,
        contentDisposition: null,
        metadata: {},
        tags: {},
      });
      await putPart(direct, key, uploadId, 1, BYTES);
      const parts = await direct.listParts(key, uploadId);
      const input = { key, uploadId, parts, checksum: CHECKSUM, onlyIfAbsent: true };
      expect(await failureOf(cut.completeMultipartUpload(input))).toBe('unavailable');
      if ((await settle(direct, key, uploadId)) === 'object') continue;
      await direct.abortMultipartUpload(key, uploadId);
      expect(await direct.listMultipartUploads(key)).toEqual([]);
    }
    cut.close();
    direct.close();
    await proxy.close();
  });
});
