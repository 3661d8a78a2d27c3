import { CreateMultipartUploadCommand, ListObjectsV2Command, ListPartsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { forgePart } from '../../../src/forgery/forged-part.ts';
import { tryForgery } from '../../../src/forgery/try-forgery.ts';
import { aTarArchive } from '../../support/files/tar-archive.ts';
import { RawConnection } from '../../support/network/raw-connection.ts';
import { type Recorder, type ShieldKind, startShieldedMinio } from '../../support/proxies/shield.ts';
import {
  aForgedArchiveHead,
  aForgedHead,
  type Change,
  inChunks,
  percentEncoded,
  sendForged,
  textOf,
  FORGING_WORD as WORD,
  withLines,
  withQuery,
} from '../../support/store/forged-head.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const FORGED = Buffer.from('forged');
const ARCHIVE = aTarArchive('unpacked', 'forged').toString('latin1');
const forging = withLines(`x-amz-content-sha256: ${WORD}`);
const PLAIN = 'x-amz-content-sha256: UNSIGNED-PAYLOAD';
const padding = (count: number) => Array.from({ length: count }, (_, no) => `x-padding-${no}: ${'a'.repeat(1_000)}`);

/** Spellings that MinIO without a shield accepts, so that the object is written. */
const OPEN_SPELLINGS: [string, Change][] = [
  ['as it is', forging],
  ['with its name in capitals', withLines(`X-AMZ-CONTENT-SHA256: ${WORD}`)],
  ['with no space', withLines(`x-amz-content-sha256:${WORD}`)],
  ['with white space around it', withLines(`x-amz-content-sha256: \t ${WORD} \t `)],
  ['folded to the next line', withLines('x-amz-content-sha256:', ` ${WORD}`)],
  ['before another one', withLines(`x-amz-content-sha256: ${WORD}`, PLAIN)],
  ['behind 7 KB of other headers', withLines(...padding(7), `x-amz-content-sha256: ${WORD}`)],
  ['in a request of HTTP/1.0', (head, endpoint) => ({ ...forging(head, endpoint), version: 'HTTP/1.0' })],
  ['in lines that end with LF alone', (head, endpoint) => ({ ...forging(head, endpoint), lineEnd: '\n' })],
  [
    'in a request with an absolute target',
    (head, endpoint) => ({ ...forging(head, endpoint), target: `${endpoint}${head.target}` }),
  ],
  [
    'beside a query that says something else',
    (head, endpoint) => withQuery('X-Amz-Content-Sha256=UNSIGNED-PAYLOAD')(forging(head, endpoint), endpoint),
  ],
];
/** Spellings that MinIO today refuses by itself. */
const OTHER_SPELLINGS: [string, Change][] = [
  ['with its value in small letters', withLines(`x-amz-content-sha256: ${WORD.toLowerCase()}`)],
  ['behind another one', withLines(PLAIN, `x-amz-content-sha256: ${WORD}`)],
  ['behind an empty one', withLines('x-amz-content-sha256:', `x-amz-content-sha256: ${WORD}`)],
  ['first of a list', withLines(`x-amz-content-sha256: ${WORD}, UNSIGNED-PAYLOAD`)],
  ['last of a list', withLines(`x-amz-content-sha256: UNSIGNED-PAYLOAD,${WORD}`)],
  ['with underscores', withLines(`x_amz_content_sha256: ${WORD}`)],
  ['with a space before the colon', withLines(`x-amz-content-sha256 : ${WORD}`)],
  ['behind more headers than fit', withLines(...padding(40), `x-amz-content-sha256: ${WORD}`)],
  ['beside an Authorization header that is made up', withLines(`x-amz-content-sha256: ${WORD}`, 'Authorization: Bearer a')],
  ['in a path with two slashes', (head, endpoint) => ({ ...forging(head, endpoint), target: `/${head.target}` })],
  ['in the query', withQuery(`X-Amz-Content-Sha256=${WORD}`)],
  ['in the query, in small letters', withQuery(`x-amz-content-sha256=${WORD.toLowerCase()}`)],
  ['in the query, percent-encoded', withQuery(`${percentEncoded('X-Amz-Content-Sha256')}=${percentEncoded(WORD)}`)],
  ['in the query, with one letter percent-encoded', withQuery(`X-Amz-Content-Sha256=${WORD.replace('U', '%55')}`)],
  ['in the query, beside an escape that is none', withQuery(`X-Amz-Content-Sha256=${percentEncoded(WORD)}&a=%zz`)],
];
const ARCHIVES: [string, Change][] = [
  ['by its header', withLines('X-Amz-Meta-Snowball-Auto-Extract: true')],
  ['by its header in capitals, with a longer value', withLines('X-AMZ-META-SNOWBALL-AUTO-EXTRACT: untrue')],
  ['by its header behind an empty one', withLines('X-Amz-Meta-Snowball-Auto-Extract:', 'X-Amz-Meta-Snowball-Auto-Extract: true')],
  ['by its header folded', withLines('X-Amz-Meta-Snowball-Auto-Extract:', ' true')],
];

const root = sharedMinio();
const client = new S3Client({ endpoint: root.endpoint, region: root.region, credentials: root, forcePathStyle: true });
afterAll(() => client.destroy());

async function keysIn(bucket: string): Promise<(string | undefined)[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key }) => Key);
}

/** Returns a URL of an object or a part in root's name, with an invented signature. */
function forgedUrl(bucket: string, upload?: { key: string; uploadId: string }): URL {
  const { url } = forgePart({ ...root, bucket, keyPrefix: '', at: new Date() });
  if (upload === undefined) for (const name of ['partNumber', 'uploadId']) url.searchParams.delete(name);
  else {
    url.pathname = `/${bucket}/${upload.key}`;
    url.searchParams.set('uploadId', upload.uploadId);
  }
  return url;
}

async function beginUpload(bucket: string): Promise<{ key: string; uploadId: string }> {
  const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'film' }));
  return { key: 'film', uploadId: UploadId };
}

async function partsOf(bucket: string, { key, uploadId }: { key: string; uploadId: string }): Promise<number> {
  const { Parts = [] } = await client.send(new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId }));
  return Parts.length;
}

describe("MinIO without a shield, with root's id and no key", () => {
  it.each(OPEN_SPELLINGS)('accepts a forged object: the word %s', async (_, change) => {
    const bucket = await createTestBucket();
    const head = change(aForgedHead(forgedUrl(bucket), FORGED), root.endpoint);
    expect(await sendForged(root.endpoint, head, inChunks(FORGED))).toMatchObject({ status: 200 });
    expect(await keysIn(bucket)).toHaveLength(1);
  });

  it('accepts a forged part', async () => {
    const bucket = await createTestBucket();
    const upload = await beginUpload(bucket);
    const head = forging(aForgedHead(forgedUrl(bucket, upload), FORGED), root.endpoint);
    expect(await sendForged(root.endpoint, head, inChunks(FORGED))).toMatchObject({ status: 200 });
    expect(await partsOf(bucket, upload)).toBe(1);
  });
});

describe("MinIO without a shield, with root's id and no key, unpacks an archive", () => {
  it.each(ARCHIVES)('named %s', async (_, change) => {
    const bucket = await createTestBucket();
    const head = change(aForgedArchiveHead(forgedUrl(bucket), ARCHIVE), root.endpoint);
    expect(await sendForged(root.endpoint, head, ARCHIVE)).toMatchObject({ status: 200 });
    expect(await keysIn(bucket)).toEqual(['unpacked']);
  });
});

describe.each<ShieldKind>(['haproxy', 'nginx'])("the shield in %s, with root's id and no key", (kind) => {
  let shield: string;
  let recorder: Recorder;
  let bucket: string;
  beforeEach(async (context) => {
    ({ shield, recorder, bucket } = await startShieldedMinio(kind, context));
  });

  /** HAProxy sees every header of a request. nginx before 1.23 sees only the first header of each name, and passes only that one on. */
  function expectRefused({ status }: { status: number }): void {
    expect([400, 403]).toContain(status);
    expect(recorder.sent).not.toMatch(new RegExp(`${WORD}|Snowball-Auto-Extract`, 'i'));
    if (kind === 'haproxy') expect(recorder.sent).toBe('');
  }

  it('is recognized as a shield by the forgery check', async () => {
    const { region, accessKeyId } = root;
    const target = { region, accessKeyId, bucket, keyPrefix: '', at: new Date() };
    expect(await tryForgery({ ...target, endpoint: root.endpoint })).toBe('open');
    expect(await tryForgery({ ...target, endpoint: shield })).toBe('shielded');
    expect(recorder.sent).toBe('');
  });

  it.each([...OPEN_SPELLINGS, ...OTHER_SPELLINGS])('refuses a forged object: the word %s', async (_, change) => {
    const head = change(aForgedHead(forgedUrl(bucket), FORGED), shield);
    expectRefused(await sendForged(shield, head, inChunks(FORGED)));
    expect(await keysIn(bucket)).toEqual([]);
  });

  it.each([...OPEN_SPELLINGS, ...OTHER_SPELLINGS])('refuses a forged part: the word %s', async (_, change) => {
    const upload = await beginUpload(bucket);
    const head = change(aForgedHead(forgedUrl(bucket, upload), FORGED), shield);
    expectRefused(await sendForged(shield, head, inChunks(FORGED)));
    expect(await partsOf(bucket, upload)).toBe(0);
  });

  it.each(ARCHIVES)('refuses an archive that MinIO is to unpack: named %s', async (_, change) => {
    const head = change(aForgedArchiveHead(forgedUrl(bucket), ARCHIVE), shield);
    const { lines } = head;
    // The shield recognizes it even without the other word.
    expectRefused(await sendForged(shield, { ...head, lines: lines.filter((line) => !line.includes(WORD)) }, ARCHIVE));
    expectRefused(await sendForged(shield, head, ARCHIVE));
    expect(await keysIn(bucket)).toEqual([]);
  });

  it('refuses an archive that is named in the query, although MinIO ignores it there', async () => {
    const inQuery = withQuery('X-Amz-Meta-Snowball-Auto-Extract=true');
    const head = inQuery(aForgedHead(forgedUrl(bucket), FORGED), shield);
    expectRefused(await sendForged(shield, head, inChunks(FORGED)));
    expect(await sendForged(root.endpoint, forging(head, root.endpoint), inChunks(FORGED))).toMatchObject({ status: 200 });
    expect(await keysIn(bucket)).toEqual([expect.stringMatching(/^partway-forgery-/)]);
  });

  it('refuses a forgery that follows another request on the same connection', async () => {
    const connection = await RawConnection.to(shield);
    const { host } = new URL(shield);
    const head = forging(aForgedHead(forgedUrl(bucket), FORGED), shield);
    connection.send(`GET /minio/health/live HTTP/1.1\r\nHost: ${host}\r\n\r\n${textOf(head, host)}${inChunks(FORGED)}`);
    const received = await connection.untilClosed();
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(recorder.sent).not.toContain(WORD);
  });

  it.each([
    ['a length beside chunks', ['Transfer-Encoding: chunked']],
    ['chunks that are not called so', ['Transfer-Encoding: xchunked']],
    ['two lengths', ['Content-Length: 0']],
  ])('accepts no forgery that is hidden in the body of another request, under %s', async (_, lines) => {
    const { host } = new URL(shield);
    const forged = `${textOf(forging(aForgedHead(forgedUrl(bucket), FORGED), shield), host)}${inChunks(FORGED)}`;
    const hidden = `0\r\n\r\n${forged}`;
    const connection = await RawConnection.to(shield);
    const outer = [
      `POST /${bucket}/a HTTP/1.1`,
      `Host: ${host}`,
      `Content-Length: ${hidden.length}`,
      ...lines,
      'Connection: close',
    ];
    connection.send(`${outer.join('\r\n')}\r\n\r\n${hidden}`);
    await connection.untilClosed();
    expect(await keysIn(bucket)).toEqual([]);
  });

  it('does not speak HTTP/2, which would be parsed in another way', async () => {
    const connection = await RawConnection.to(shield);
    connection.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await connection.untilClosed()).not.toMatch(/^HTTP\/1\.1 2/);
    expect(recorder.sent).toBe('');
  });
});
