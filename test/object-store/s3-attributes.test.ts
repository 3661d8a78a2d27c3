import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { createRequest } from '../../src/contract/schemas.ts';
import type { NewUpload } from '../../src/object-store/port.ts';
import { contentDispositionHeader } from '../../src/server/lifecycle/content-disposition.ts';
import { findMetadataFault, findTagsFault, SESSION_METADATA } from '../../src/session/object-attributes.ts';
import { checksumOf } from '../suites/object-store.ts';
import { anS3Store, putPart, readAttributes, type S3Store, withClient } from '../support/store/s3-stores.ts';

const BYTES = Buffer.from('bytes');
const PLAIN = { contentType: null, contentDisposition: null, metadata: {}, tags: {} };
const SESSION_ID = 'ses_01kaz3v8f6q2m4n7x9y0w5r1td';
const INJECTION = 'x\r\nx-amz-meta-evil: 1\r\nx-amz-acl: public-read\r\n\r\n<html>';

async function anObject(store: S3Store, upload: NewUpload): Promise<void> {
  const { key } = upload;
  const { uploadId } = await store.createMultipartUpload(upload);
  await putPart(store, key, uploadId, 1, BYTES);
  const parts = await store.listParts(key, uploadId);
  await store.completeMultipartUpload({ key, uploadId, parts, checksum: checksumOf(BYTES), onlyIfAbsent: true });
}

describe('the attributes of an object at MinIO', () => {
  it.each([
    'C0142.MOV',
    'a "quoted", 100% name; filename=evil.exe',
    'Käse 日本 😀.mov',
    INJECTION,
    'half \ud800 of a pair',
    '日'.repeat(1_024),
  ])('is the disposition with the name of %j', async (fileName) => {
    const store = await anS3Store();
    for (const type of ['inline', 'attachment'] as const) {
      const contentDisposition = contentDispositionHeader(type, fileName);
      await anObject(store, { ...PLAIN, key: type, contentDisposition });
      expect(await readAttributes(store.bucket, type)).toMatchObject({ contentDisposition, tags: {} });
    }
  });

  it('may all have their largest size at once', async () => {
    const store = await anS3Store();
    const letters = (count: number, name: (index: number) => string, value: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [name(index), value]));
    const tags = letters(10, (index) => `${index}`.padStart(42, 'n'), 'v'.repeat(256));
    const metadata = letters(61, (index) => `${index}`.padStart(4, 'n'), 'v');
    expect([findTagsFault(tags), findMetadataFault(metadata)]).toEqual([undefined, undefined]);
    expect(findTagsFault({ ...tags, [`${0}`.padStart(42, 'n')]: '/'.repeat(256) })).toBeDefined();
    expect(findMetadataFault({ ...metadata, more: '' })).toBeDefined();
    const contentType = `video/mp4; codecs="${'c'.repeat(180)}"`;
    const contentDisposition = contentDispositionHeader('attachment', `${'ü'.repeat(124)}%41.mov`);
    const key = `${'k/'.repeat(500)}a`;
    await anObject(store, {
      key,
      contentType,
      contentDisposition,
      metadata: { ...metadata, [SESSION_METADATA]: SESSION_ID },
      tags,
    });
    expect(await readAttributes(store.bucket, key)).toEqual({ contentType, contentDisposition, tags });
    expect((await store.headObject(key))?.metadata).toEqual({ ...metadata, [SESSION_METADATA]: SESSION_ID });
  });

  it('stay text, and never become headers, if metadata holds line breaks', async () => {
    const store = await anS3Store();
    await anObject(store, { ...PLAIN, key: 'k', metadata: { note: INJECTION } });
    expect((await store.headObject('k'))?.metadata).toEqual({ note: INJECTION });
    const raw = await withClient((client) => client.send(new HeadObjectCommand({ Bucket: store.bucket, Key: 'k' })));
    expect(raw.Metadata).toEqual({ note: encodeURIComponent(INJECTION) });
  });

  it.each([
    ['a tag', { tags: { note: INJECTION } }],
    ['the name of a tag', { tags: { [INJECTION]: 'x' } }],
    ['the name of metadata', { metadata: { [INJECTION]: 'x' } }],
    ['the content type', { contentType: `video/mp4${INJECTION}` }],
    ['the content type, behind a semicolon', { contentType: `video/mp4; a="${INJECTION}"` }],
    ['the disposition', { contentDisposition: `attachment${INJECTION}` }],
  ])('is never line breaks in %s: the wire refuses them, and without it so does every layer below', async (_, change) => {
    expect(createRequest.safeParse({ fileName: 'a', size: 1, ...change }).success).toBe(false);
    const store = await anS3Store();
    await expect(anObject(store, { ...PLAIN, key: 'k', ...change })).rejects.toThrow();
    expect(await store.listMultipartUploads('k')).toEqual([]);
    expect(await store.headObject('k')).toBeUndefined();
  });
});
