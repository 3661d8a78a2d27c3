import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CompleteInput,
  type NewUpload,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
} from '../../src/object-store/port.ts';
import { encodeCrc32 } from '../../src/session/crc32.ts';
import type { StoredPart } from '../../src/session/session.ts';

export interface ObjectStoreUnderTest {
  readonly store: ObjectStore;
  /** The same object store with a bucket that does not exist. */
  readonly storeWithoutBucket: ObjectStore;
  /** Puts a part as a client does, and returns its ETag. */
  putPart(key: string, uploadId: string, partNumber: number, bytes: Uint8Array): Promise<string>;
  /** The object's bytes. */
  read(key: string): Promise<Uint8Array>;
  /** The attributes of the object, as its readers get them. */
  attributes(key: string): Promise<ObjectAttributes>;
}

export type ObjectAttributes = Pick<NewUpload, 'contentType' | 'contentDisposition' | 'tags'>;

const MIN_PART_SIZE = 5 * 1024 ** 2;
const noMetadata = { contentType: null, contentDisposition: null, metadata: {}, tags: {} };

export function checksumOf(...chunks: Uint8Array[]): string {
  return encodeCrc32(chunks.reduce((crc, chunk) => crc32(chunk, crc), 0));
}

export async function expectFailure(failure: ObjectStoreFailure, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ObjectStoreError);
  expect(error).toMatchObject({ failure });
}

/** Tests for every adapter: each sentence of the port. Each test has keys of its own. */
export function describeObjectStore(name: string, open: () => Promise<ObjectStoreUnderTest>): void {
  describe(`${name} as an object store`, () => {
    let subject: ObjectStoreUnderTest;
    let store: ObjectStore;
    const full = randomBytes(MIN_PART_SIZE);
    const rest = Buffer.from('the last part may be small');
    let keys = 0;
    const aKey = () => `contract/${++keys}`;

    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });

    /** Creates an upload, puts these parts, and returns the input of its Complete. */
    async function anUpload(key: string, ...chunks: Uint8Array[]): Promise<CompleteInput> {
      return anUploadOf({ key, ...noMetadata }, ...chunks);
    }

    async function anUploadOf(upload: NewUpload, ...chunks: Uint8Array[]): Promise<CompleteInput> {
      const { key } = upload;
      const { uploadId } = await store.createMultipartUpload(upload);
      for (const [index, chunk] of chunks.entries()) await subject.putPart(key, uploadId, index + 1, chunk);
      const parts = await store.listParts(key, uploadId);
      return { key, uploadId, parts, checksum: checksumOf(...chunks), onlyIfAbsent: false };
    }

    async function anObject(key: string, bytes: Uint8Array): Promise<CompleteInput> {
      const input = await anUpload(key, bytes);
      await store.completeMultipartUpload(input);
      return input;
    }

    function withPart(input: CompleteInput, index: number, change: Partial<StoredPart>): CompleteInput {
      return { ...input, parts: input.parts.map((part, at) => (at === index ? { ...part, ...change } : part)) };
    }

    describe('createMultipartUpload', () => {
      it('creates another upload with each call', async () => {
        const key = aKey();
        const first = await store.createMultipartUpload({ key, ...noMetadata });
        const second = await store.createMultipartUpload({ key, ...noMetadata });
        expect(first.uploadId).not.toBe(second.uploadId);
        expect(await store.listMultipartUploads(key)).toHaveLength(2);
      });

      it('dates the upload by our clock, not later than the call', async () => {
        const before = Date.now();
        const { initiatedAt } = await store.createMultipartUpload({ key: aKey(), ...noMetadata });
        expect(initiatedAt).toBeGreaterThanOrEqual(before);
        expect(initiatedAt).toBeLessThanOrEqual(Date.now());
      });

      it('creates no object', async () => {
        const key = aKey();
        await anUpload(key, rest);
        expect(await store.headObject(key)).toBeUndefined();
      });
    });

    describe('presignPart', () => {
      const part = { key: 'presign/only', uploadId: 'no-such-upload', partNumber: 1, contentLength: 2, expiresInSeconds: 60 };

      it('returns all headers to send, with lower-case names', async () => {
        const checksum = checksumOf(Buffer.from('hi'));
        const { headers } = await store.presignPart({ ...part, checksum });
        expect(headers).toEqual({ 'content-length': '2', 'x-amz-checksum-crc32': checksum });
        expect((await store.presignPart(part)).headers).toEqual({ 'content-length': '2' });
      });

      it('returns when the URL ends, never later than the requested lifetime', async () => {
        const before = Date.now();
        const { expiresAt } = await store.presignPart(part);
        expect(expiresAt).toBeGreaterThan(before + 58_000);
        expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
      });

      it('sends no request, so that bucket and upload need not exist', async () => {
        await expect(subject.storeWithoutBucket.presignPart(part)).resolves.toMatchObject({
          url: expect.stringContaining('no-such-upload'),
        });
      });

      it.each([
        ['part number 0', { partNumber: 0 }],
        ['part number 10,001', { partNumber: 10_001 }],
        ['a broken part number', { partNumber: 1.5 }],
        ['a negative length', { contentLength: -1 }],
        ['a length that is no number', { contentLength: Number.NaN }],
        ['no lifetime', { expiresInSeconds: 0 }],
        ['a lifetime of more than seven days', { expiresInSeconds: 604_801 }],
        ['no upload id, which would make it a PUT of the whole object', { uploadId: '' }],
      ])('throws RangeError for %s', async (_, change) => {
        await expect(store.presignPart({ ...part, ...change })).rejects.toBeInstanceOf(RangeError);
      });

      it('accepts a lifetime of seven days', async () => {
        await expect(store.presignPart({ ...part, expiresInSeconds: 604_800 })).resolves.toBeDefined();
      });
    });

    describe('listParts', () => {
      it('is empty for a new upload', async () => {
        const { parts } = await anUpload(aKey());
        expect(parts).toEqual([]);
      });

      it('is ascending, whatever the order of the PUTs, with ETags as the object store wrote them', async () => {
        const key = aKey();
        const { uploadId } = await store.createMultipartUpload({ key, ...noMetadata });
        const etags = new Map<number, string>();
        for (const partNumber of [10_000, 2, 11, 1]) {
          etags.set(partNumber, await subject.putPart(key, uploadId, partNumber, Buffer.from(`part ${partNumber}`)));
        }
        expect(await store.listParts(key, uploadId)).toEqual(
          [1, 2, 11, 10_000].map((partNumber) => ({
            partNumber,
            etag: etags.get(partNumber),
            checksum: checksumOf(Buffer.from(`part ${partNumber}`)),
            size: `part ${partNumber}`.length,
          })),
        );
      });

      it('shows the last PUT of each number', async () => {
        const key = aKey();
        const { uploadId } = await anUpload(key, Buffer.from('old'));
        await subject.putPart(key, uploadId, 1, Buffer.from('newer'));
        expect(await store.listParts(key, uploadId)).toMatchObject([
          { partNumber: 1, size: 5, checksum: checksumOf(Buffer.from('newer')) },
        ]);
      });

      it('fails with upload-missing for an unknown id, for the id of another key, and after complete and abort', async () => {
        const completed = await anObject(aKey(), rest);
        const aborted = await anUpload(aKey(), rest);
        await store.abortMultipartUpload(aborted.key, aborted.uploadId);
        await expectFailure('upload-missing', store.listParts(aKey(), 'no-such-upload'));
        await expectFailure('upload-missing', store.listParts(aKey(), (await anUpload(aKey(), rest)).uploadId));
        await expectFailure('upload-missing', store.listParts(completed.key, completed.uploadId));
        await expectFailure('upload-missing', store.listParts(aborted.key, aborted.uploadId));
      });
    });

    describe('completeMultipartUpload', () => {
      it('creates an object of exactly the parts', async () => {
        const input = await anUpload(aKey(), full, full, rest);
        await store.completeMultipartUpload(input);
        expect(await store.headObject(input.key)).toEqual({
          size: 2 * full.length + rest.length,
          etag: expect.stringMatching(/^".+-3"$/),
          checksum: input.checksum,
          metadata: {},
        });
        expect(Buffer.concat([full, full, rest]).equals(await subject.read(input.key))).toBe(true);
      });

      it('creates an empty object of one empty part', async () => {
        const input = await anObject(aKey(), new Uint8Array());
        expect(await store.headObject(input.key)).toMatchObject({ size: 0, checksum: 'AAAAAA==' });
      });

      it('creates no empty object if the file was not empty', async () => {
        const input = await anUpload(aKey(), new Uint8Array());
        await expectFailure('checksum-mismatch', store.completeMultipartUpload({ ...input, checksum: checksumOf(rest) }));
        expect(await store.headObject(input.key)).toBeUndefined();
      });

      it('fails with upload-missing when it is repeated, and leaves the object alone', async () => {
        const input = await anObject(aKey(), rest);
        await expectFailure('upload-missing', store.completeMultipartUpload(input));
        expect(await subject.read(input.key)).toEqual(new Uint8Array(rest));
      });

      it('fails with object-exists when a conditional one is repeated', async () => {
        const input = { ...(await anUpload(aKey(), rest)), onlyIfAbsent: true };
        await store.completeMultipartUpload(input);
        await expectFailure('object-exists', store.completeMultipartUpload(input));
      });

      it('fails with object-exists if the key is taken and the object must not be replaced; the upload stays usable', async () => {
        const key = aKey();
        await anObject(key, Buffer.from('the first'));
        const input = await anUpload(key, Buffer.from('the second'));
        await expectFailure('object-exists', store.completeMultipartUpload({ ...input, onlyIfAbsent: true }));
        expect(Buffer.from(await subject.read(key)).toString()).toBe('the first');
        await store.completeMultipartUpload(input);
        expect(Buffer.from(await subject.read(key)).toString()).toBe('the second');
      });

      it('succeeds exactly once for several simultaneous calls', async () => {
        const input = await anUpload(aKey(), full, rest);
        const results = await Promise.allSettled([1, 2, 3, 4].map(() => store.completeMultipartUpload(input)));
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await store.headObject(input.key)).toMatchObject({ checksum: input.checksum });
      });

      it.each<[string, (input: CompleteInput) => CompleteInput]>([
        ['a part that is not there', (input) => withPart(input, 1, { partNumber: 3 })],
        ['another ETag', (input) => withPart(input, 1, { etag: '"00000000000000000000000000000000"' })],
        ['another checksum of a part', (input) => withPart(input, 1, { checksum: 'AAAAAA==' })],
        ['no checksum of a part', (input) => withPart(input, 1, { checksum: null })],
        ['parts that do not ascend', (input) => ({ ...input, parts: input.parts.toReversed() })],
      ])('fails with part-invalid for %s; the upload stays usable', async (_, change) => {
        const input = await anUpload(aKey(), full, rest);
        await expectFailure('part-invalid', store.completeMultipartUpload(change(input)));
        expect(await store.headObject(input.key)).toBeUndefined();
        await store.completeMultipartUpload(input);
        expect(await store.headObject(input.key)).toMatchObject({ checksum: input.checksum });
      });

      it('fails with part-invalid while a part before the last is too small', async () => {
        const small = await anUpload(aKey(), full.subarray(1), rest);
        await expectFailure('part-invalid', store.completeMultipartUpload(small));
        await subject.putPart(small.key, small.uploadId, 1, full);
        const parts = await store.listParts(small.key, small.uploadId);
        await store.completeMultipartUpload({ ...small, parts, checksum: checksumOf(full, rest) });
        expect(await store.headObject(small.key)).toMatchObject({ size: full.length + rest.length });
      });

      it('fails with checksum-mismatch if the parts are not the file; the upload stays usable', async () => {
        const input = await anUpload(aKey(), rest);
        await expectFailure(
          'checksum-mismatch',
          store.completeMultipartUpload({ ...input, checksum: checksumOf(Buffer.from('other')) }),
        );
        expect(await store.headObject(input.key)).toBeUndefined();
        await store.completeMultipartUpload(input);
        expect(await store.headObject(input.key)).toMatchObject({ checksum: input.checksum });
      });

      it('refuses a part that is named twice, because of the checksum', async () => {
        const input = await anUpload(aKey(), full, rest);
        const [first, last] = input.parts;
        if (!first || !last) throw new Error('two parts were put');
        await expectFailure('checksum-mismatch', store.completeMultipartUpload({ ...input, parts: [first, first, last] }));
      });

      it('fails with upload-missing for an unknown id and after an abort', async () => {
        const input = await anUpload(aKey(), rest);
        await expectFailure('upload-missing', store.completeMultipartUpload({ ...input, uploadId: 'no-such-upload' }));
        await store.abortMultipartUpload(input.key, input.uploadId);
        await expectFailure('upload-missing', store.completeMultipartUpload(input));
        expect(await store.headObject(input.key)).toBeUndefined();
      });
    });

    describe('abortMultipartUpload', () => {
      it('deletes the upload, and succeeds when repeated or without an upload', async () => {
        const { key, uploadId } = await anUpload(aKey(), rest);
        await store.abortMultipartUpload(key, uploadId);
        await store.abortMultipartUpload(key, uploadId);
        await store.abortMultipartUpload(key, 'no-such-upload');
        expect(await store.listMultipartUploads(key)).toEqual([]);
      });

      it('does not touch other uploads of the key', async () => {
        const { key, uploadId } = await anUpload(aKey(), rest);
        const other = await anUpload(key, rest);
        await store.abortMultipartUpload(key, uploadId);
        expect(await store.listParts(key, other.uploadId)).toHaveLength(1);
      });

      it('succeeds after a complete and leaves the object alone', async () => {
        const { key, uploadId, checksum } = await anObject(aKey(), rest);
        await store.abortMultipartUpload(key, uploadId);
        expect(await store.headObject(key)).toMatchObject({ checksum });
      });
    });

    describe('listMultipartUploads', () => {
      it('returns the unfinished uploads of exactly this key', async () => {
        const key = aKey();
        const { uploadId, initiatedAt } = await store.createMultipartUpload({ key, ...noMetadata });
        for (const neighbour of [`${key}.bak`, `${key}/below`, `${key}0`]) await anUpload(neighbour, rest);
        const listed = await store.listMultipartUploads(key);
        expect(listed.map((upload) => upload.uploadId)).toEqual([uploadId]);
        expect(Math.abs((listed[0]?.initiatedAt ?? 0) - initiatedAt)).toBeLessThan(10_000);
      });

      it('is empty for a key without any, and once they are completed or aborted', async () => {
        const key = aKey();
        expect(await store.listMultipartUploads(key)).toEqual([]);
        await anObject(key, rest);
        await store.abortMultipartUpload(key, (await anUpload(key, rest)).uploadId);
        expect(await store.listMultipartUploads(key)).toEqual([]);
      });
    });

    describe('headObject', () => {
      it('is undefined if there is no object at the key, even below and above keys with objects', async () => {
        const { key } = await anObject(`${aKey()}/dir/file`, rest);
        expect(await store.headObject(`${key}/below`)).toBeUndefined();
        expect(await store.headObject(key.slice(0, -'/file'.length))).toBeUndefined();
        expect(await store.headObject(aKey())).toBeUndefined();
      });

      it('returns metadata of any Unicode text, under lower-case names', async () => {
        const metadata = { 'partway-session': 'ses_1', plain: 'a b', File_Name: ' ü 日本 😀 %41 + "x"\n ', empty: '' };
        const key = aKey();
        const { uploadId } = await store.createMultipartUpload({ key, ...noMetadata, metadata });
        await subject.putPart(key, uploadId, 1, rest);
        const parts = await store.listParts(key, uploadId);
        await store.completeMultipartUpload({ key, uploadId, parts, checksum: checksumOf(rest), onlyIfAbsent: true });
        const { File_Name: fileName, ...others } = metadata;
        expect((await store.headObject(key))?.metadata).toEqual({ ...others, file_name: fileName });
      });
    });

    describe('an object', () => {
      it('has the content type, the disposition and the tags that its upload was created with', async () => {
        const attributes = {
          contentType: 'video/mp4; x="y"',
          contentDisposition: `attachment; filename="a \\"b\\".mov"; filename*=UTF-8''%C3%BC.mov`,
          tags: { 'camera body': 'A7 +-=._:/@', empty: '' },
        };
        const input = await anUploadOf({ key: aKey(), metadata: {}, ...attributes }, rest);
        await store.completeMultipartUpload(input);
        expect(await subject.attributes(input.key)).toEqual(attributes);
      });

      it('has no disposition and no tags if none were asked for', async () => {
        const { key } = await anObject(aKey(), rest);
        expect(await subject.attributes(key)).toMatchObject({ contentDisposition: null, tags: {} });
      });
    });

    describe('findKeyConflict', () => {
      it.each([
        ['a/b', 'a/b/c'],
        ['a/b', 'a/b/c/d'],
        ['a/b/c', 'a/b'],
        ['a/b/c', 'a'],
      ])('finds an object %s for %s', async (taken, key) => {
        const root = aKey();
        await anObject(`${root}/${taken}`, rest);
        expect(await store.findKeyConflict(`${root}/${key}`)).toBe(`${root}/${taken}`);
      });

      it.each([
        ['a/b', 'a/b'],
        ['a/b', 'a/bc'],
        ['a/b', 'a/b-/c'],
        ['a/b', 'a/c'],
      ])('lets an object %s be beside %s', async (taken, key) => {
        const root = aKey();
        await anObject(`${root}/${taken}`, rest);
        expect(await store.findKeyConflict(`${root}/${key}`)).toBeUndefined();
      });
    });

    describe('signing', () => {
      it('returns the kind, the end and the other rights of the signing credentials', async () => {
        expect(await store.signing()).toEqual({
          credentials: expect.stringMatching(/^(sts|key|shared)$/),
          expiresAt: expect.toSatisfy((at) => at === null || at > Date.now()),
          canRead: expect.any(Boolean),
          canList: expect.any(Boolean),
          canDelete: expect.any(Boolean),
        });
      });

      it('touches no object and no upload', async () => {
        const { key, checksum } = await anObject(aKey(), rest);
        const upload = await anUpload(key, rest);
        await store.signing();
        expect(await store.headObject(key)).toMatchObject({ checksum });
        expect(await store.listParts(key, upload.uploadId)).toHaveLength(1);
      });

      it('passes the check if parts can be presigned', async () => {
        await expect(store.checkSigning()).resolves.toBeUndefined();
      });

      it('never ends before a URL does', async () => {
        const { expiresAt } = await store.signing();
        const part = { key: 'k', uploadId: 'u', partNumber: 1, contentLength: 1, expiresInSeconds: 604_800 };
        expect((await store.presignPart(part)).expiresAt).toBeLessThanOrEqual(expiresAt ?? Number.POSITIVE_INFINITY);
      });
    });

    describe('a bucket', () => {
      it('is at an object store whose clock differs from ours by seconds at most, in tests', async () => {
        expect(Math.abs(await store.readClock())).toBeLessThan(30_000);
      });

      it('that exists passes the bucket check', async () => {
        await expect(store.checkBucket()).resolves.toBeUndefined();
      });

      it.each<[string, (store: ObjectStore) => Promise<unknown>]>([
        ['checkBucket', (gone) => gone.checkBucket()],
        ['createMultipartUpload', (gone) => gone.createMultipartUpload({ key: 'k', ...noMetadata })],
        ['listParts', (gone) => gone.listParts('k', 'no-such-upload')],
        [
          'completeMultipartUpload',
          (gone) => {
            const parts = [{ partNumber: 1, etag: '"e"', checksum: 'AAAAAA==', size: 0 }];
            return gone.completeMultipartUpload({
              key: 'k',
              uploadId: 'no-such-upload',
              parts,
              checksum: 'AAAAAA==',
              onlyIfAbsent: true,
            });
          },
        ],
        ['abortMultipartUpload', (gone) => gone.abortMultipartUpload('k', 'no-such-upload')],
        ['listMultipartUploads', (gone) => gone.listMultipartUploads('k')],
        ['headObject', (gone) => gone.headObject('k')],
      ])('that does not exist makes %s fail with bucket-missing', async (_, call) => {
        await expectFailure('bucket-missing', call(subject.storeWithoutBucket));
      });
    });
  });
}
