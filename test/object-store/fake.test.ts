import { describe, expect, it } from 'vitest';
import { describeObjectStore, expectFailure } from '../suites/object-store.ts';
import { FakeObjectStore } from '../support/store/fake-object-store.ts';

describeObjectStore('the fake', async () => {
  const store = new FakeObjectStore();
  const storeWithoutBucket = new FakeObjectStore();
  storeWithoutBucket.bucketMissing = true;
  return {
    store,
    storeWithoutBucket,
    putPart: async (key, uploadId, partNumber, bytes) => store.putPart(key, uploadId, partNumber, bytes).etag,
    read: async (key) => new Uint8Array(store.read(key) ?? []),
    attributes: async (key) => store.attributes(key) ?? { contentType: null, contentDisposition: null, tags: {} },
  };
});

describe('the fake, beyond the port', () => {
  const upload = { key: 'k', contentType: null, contentDisposition: null, metadata: {}, tags: {} };

  it('fails the next call before its effect, and only that one', async () => {
    const store = new FakeObjectStore();
    store.failNext('createMultipartUpload', 'unavailable');
    await expectFailure('unavailable', store.createMultipartUpload(upload));
    expect(store.uploadIds).toEqual([]);
    await expect(store.createMultipartUpload(upload)).resolves.toBeDefined();
  });

  it('fails the next call after its effect: the answer is lost, but the upload exists', async () => {
    const store = new FakeObjectStore();
    store.failNext('createMultipartUpload', new Error('cut off'), { afterEffect: true });
    await expect(store.createMultipartUpload(upload)).rejects.toThrow('cut off');
    expect(store.uploadIds).toHaveLength(1);
  });

  it('lets a test act during a call', async () => {
    const store = new FakeObjectStore();
    const { uploadId } = await store.createMultipartUpload(upload);
    store.beforeNext('listParts', () => store.sweepUpload(uploadId));
    await expectFailure('upload-missing', store.listParts('k', uploadId));
  });

  it('loses single parts', async () => {
    const store = new FakeObjectStore();
    const { uploadId } = await store.createMultipartUpload(upload);
    for (const partNumber of [1, 2]) store.putPart('k', uploadId, partNumber, Buffer.from('x'));
    store.losePart(uploadId, 1);
    expect(await store.listParts('k', uploadId)).toMatchObject([{ partNumber: 2 }]);
  });

  it('records every call in order, including failed ones', async () => {
    const store = new FakeObjectStore();
    store.failNext('headObject', 'unavailable');
    await expectFailure('unavailable', store.headObject('k'));
    await store.abortMultipartUpload('k', 'u');
    expect(store.calls).toEqual([
      { method: 'headObject', key: 'k' },
      { method: 'abortMultipartUpload', key: 'k', uploadId: 'u' },
    ]);
    expect(store.callsOf('headObject')).toHaveLength(1);
  });
});
