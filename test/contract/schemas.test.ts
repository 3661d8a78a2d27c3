import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { MAX_BODY_BYTES, MAX_PLAIN_BODY_BYTES, MAX_PRESIGN_BATCH, maxPartListBytes } from '../../src/contract/paths.ts';
import { completeRequest, createRequest, presignRequest, reportRequest } from '../../src/contract/schemas.ts';
import type { CompleteRequest, ReportRequest } from '../../src/contract/wire.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('the wire', () => {
  it('creates from only a file name and a size, up to 5 TiB', () => {
    expect(createRequest.safeParse({ fileName: 'video.mp4', size: 0 }).success).toBe(true);
    expect(createRequest.safeParse({ fileName: 'video.mp4', size: 5 * 1024 ** 4 }).success).toBe(true);
  });

  it.each([
    ['no size', { fileName: 'a' }],
    ['a size below zero', { fileName: 'a', size: -1 }],
    ['half a byte', { fileName: 'a', size: 0.5 }],
    ['a size as text', { fileName: 'a', size: '7' }],
    ['more than 5 TiB', { fileName: 'a', size: 5 * 1024 ** 4 + 1 }],
    ['an empty name', { fileName: '', size: 1 }],
    ['an unknown field', { fileName: 'a', size: 1, bucket: 'theirs' }],
    ['an unknown strategy', { fileName: 'a', size: 1, strategy: 'fast' }],
    ['a content type that would break a header', { fileName: 'a', size: 1, contentType: 'text/plain\r\nx: y' }],
    ['a metadata name that would break a header', { fileName: 'a', size: 1, metadata: { 'a:b': 'c' } }],
    ['metadata names that differ only in case', { fileName: 'a', size: 1, metadata: { a: 'b', A: 'c' } }],
    ['metadata that says whose the object is', { fileName: 'a', size: 1, metadata: { 'Partway-Session': 'ses_1' } }],
    ['more metadata than an object has', { fileName: 'a', size: 1, metadata: { a: 'x'.repeat(1_000), b: 'x'.repeat(1_000) } }],
    ['eleven tags', { fileName: 'a', size: 1, tags: Object.fromEntries(upTo(11).map((number) => [number, ''])) }],
    ['a tag of a character that no tag has', { fileName: 'a', size: 1, tags: { a: 'b&c' } }],
    ['a key and a template for it', { fileName: 'a', size: 1, key: 'k', keyTemplate: '{fileName}' }],
    ['an empty template', { fileName: 'a', size: 1, keyTemplate: '' }],
    ['a disposition that browsers do not know', { fileName: 'a', size: 1, contentDisposition: 'form-data' }],
  ])('does not create from %s', (_, request) => {
    expect(createRequest.safeParse(request).success).toBe(false);
  });

  it('creates with all attributes of an object, and says what is wrong with them', () => {
    const request = { fileName: 'a', size: 1, keyTemplate: '{date}/{fileName}', contentDisposition: 'attachment' };
    const carried = { metadata: { shoot: 'ü\r\n' }, tags: { 'camera body': 'A7 +-=._:/@' } };
    expect(createRequest.parse({ ...request, ...carried })).toEqual({ ...request, ...carried });
    const wrong = createRequest.safeParse({ ...request, key: 'k', metadata: { a: 'b', A: 'c' }, tags: { a: '#' } });
    expect(wrong.error?.issues.map(({ path, message }) => [path.join('/'), message])).toEqual([
      ['metadata', 'the name "A" is given twice (upper and lower case are the same)'],
      ['tags', '"a=#" has a character other than letters (A to Z), digits, spaces and + - = . _ : / @'],
      ['keyTemplate', 'cannot be given together with `key`'],
    ]);
  });

  it.each([
    ['no part', []],
    ['part 0', [0]],
    ['part 10,001', [10_001]],
    ['a part twice', [1, 1]],
    ['more parts than a batch has', upTo(MAX_PRESIGN_BATCH + 1)],
  ])('does not presign %s', (_, partNumbers) => {
    expect(presignRequest.safeParse({ partNumbers }).success).toBe(false);
  });

  it('presigns a full batch, with checksums', () => {
    const partNumbers = upTo(MAX_PRESIGN_BATCH);
    const checksums = Object.fromEntries(partNumbers.map((partNumber) => [partNumber, 'AAAAAA==']));
    expect(presignRequest.safeParse({ partNumbers, checksums }).success).toBe(true);
    expect(presignRequest.safeParse({ partNumbers: [1], checksums: { 1: 'not a checksum' } }).success).toBe(false);
    expect(presignRequest.safeParse({ partNumbers: [1], checksums: { '01': 'AAAAAA==' } }).success).toBe(false);
  });

  it.each([1, 1_000, 10_000])(
    'takes a report and a completion of %i parts within the body limit of such a session',
    (partCount) => {
      const etag = `"${'0'.repeat(32)}-10000"`;
      const report: ReportRequest = {
        clientId: 'c'.repeat(100),
        parts: upTo(partCount).map((partNumber) => ({ partNumber, etag, checksum: 'AAAAAA==' })),
      };
      const completion: CompleteRequest = {
        checksum: 'AAAAAA==',
        parts: upTo(partCount).map((partNumber) => ({ partNumber, etag })),
      };
      expect(reportRequest.safeParse(report).success).toBe(true);
      expect(completeRequest.safeParse(completion).success).toBe(true);
      // Indented, the longest form that a script would send.
      expect(JSON.stringify(report, null, 2).length).toBeLessThan(maxPartListBytes(partCount));
      expect(JSON.stringify(completion, null, 2).length).toBeLessThan(maxPartListBytes(partCount));
      expect(maxPartListBytes(partCount)).toBeLessThanOrEqual(MAX_BODY_BYTES);
    },
  );

  it('accepts a full batch to presign, and the longest create, within their body limits', () => {
    const partNumbers = Array.from({ length: MAX_PRESIGN_BATCH }, (_, index) => 10_000 - index);
    const checksums = Object.fromEntries(partNumbers.map((partNumber) => [partNumber, 'AAAAAA==']));
    expect(presignRequest.safeParse({ partNumbers, checksums }).success).toBe(true);
    expect(JSON.stringify({ partNumbers, checksums }, null, 2).length).toBeLessThan(MAX_PLAIN_BODY_BYTES);
    const tags = Object.fromEntries(upTo(10).map((number) => [`${number}`.padEnd(128, 'x'), 'y'.repeat(160)]));
    const create = { fileName: 'ü'.repeat(1_024), size: 1, key: 'ü'.repeat(1_024), tags, metadata: { a: 'x'.repeat(900) } };
    expect(createRequest.parse(create)).toEqual(create);
    expect(Buffer.byteLength(JSON.stringify(create)) * 3).toBeLessThan(MAX_PLAIN_BODY_BYTES);
  });
});

describe('a request that is wrong in thousands of places', () => {
  const wrong = (count: number) => Object.fromEntries(upTo(count).map((number) => [`x${number}`, 0]));
  const wrongParts = (count: number) => upTo(count).map(() => ({ partNumber: 0, etag: 1 }));

  it.each<[string, z.ZodType, unknown, PropertyKey[]]>([
    ['checksums of a batch', presignRequest, { partNumbers: [1], checksums: wrong(160_000) }, ['checksums', 'x1']],
    ['part numbers', presignRequest, { partNumbers: [1, ...upTo(900).map(() => 0)] }, ['partNumbers', 1]],
    ['metadata', createRequest, { fileName: 'a', size: 1, metadata: wrong(10_000) }, ['metadata', 'x1']],
    ['tags', createRequest, { fileName: 'a', size: 1, tags: wrong(10_000) }, ['tags', 'x1']],
  ])('is told of its first fault: %s', (_, schema, request, path) => {
    expect(schema.safeParse(request).error?.issues.map((issue) => issue.path)).toEqual([path]);
  });

  it('gets every fault of the first wrong part, and of no other', () => {
    const parts = [{ partNumber: 1, etag: 'e' }, ...wrongParts(9_000)];
    for (const issues of [
      reportRequest.safeParse({ clientId: 'c', parts }).error?.issues,
      completeRequest.safeParse({ parts }).error?.issues,
    ]) {
      expect(issues?.map(({ path }) => path)).toEqual([
        ['parts', 1, 'partNumber'],
        ['parts', 1, 'etag'],
      ]);
    }
  });

  it('gets the answer that a list is too long before any item is checked', () => {
    for (const issues of [
      presignRequest.safeParse({ partNumbers: upTo(500_000).map(() => 'x') }).error?.issues,
      reportRequest.safeParse({ clientId: 'c', parts: wrongParts(10_001) }).error?.issues,
    ]) {
      expect(issues?.map(({ code }) => code)).toEqual(['too_big']);
    }
  });
});
