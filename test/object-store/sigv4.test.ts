import { S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createUrlSigner, encodeRfc3986, type SignatureCredentials } from '../../src/object-store/sigv4.ts';

const REGION = 'eu-central-1';
const HOST = 'store.example.com:9000';
const SIGNED_AT = new Date('2026-11-25T23:59:58Z');
const CHECKSUM_HEADER = 'x-amz-checksum-crc32';
const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const SESSION = { ...KEY, sessionToken: 'eyJhbGciOi.J9+/==&a b' };

interface Part {
  readonly key: string;
  readonly uploadId?: string;
  readonly checksum?: string;
  readonly signedAt?: Date;
}

/** The SDK's URL for a part. */
async function signedBySdk(
  { key, uploadId = 'ZWE+/=', checksum, signedAt = SIGNED_AT }: Part,
  credentials: SignatureCredentials,
) {
  const client = new S3Client({
    endpoint: `http://${HOST}`,
    region: REGION,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  const command = new UploadPartCommand({
    Bucket: 'uploads',
    Key: key,
    UploadId: uploadId,
    PartNumber: 17,
    ...(checksum === undefined ? {} : { ChecksumCRC32: checksum }),
  });
  return getSignedUrl(client, command, {
    expiresIn: 3_600,
    signingDate: signedAt,
    unhoistableHeaders: new Set([CHECKSUM_HEADER]),
  });
}

const sign = createUrlSigner(REGION);

/** The same URL by our signer. The SDK also names the operation in the query. */
function signedByUs(
  { key, uploadId = 'ZWE+/=', checksum, signedAt = SIGNED_AT }: Part,
  credentials: SignatureCredentials,
): string {
  const path = `/uploads/${key.split('/').map(encodeRfc3986).join('/')}`;
  const query = sign(
    {
      method: 'PUT',
      path,
      query: { partNumber: '17', uploadId, 'x-id': 'UploadPart' },
      headers: { host: HOST, ...(checksum === undefined ? {} : { [CHECKSUM_HEADER]: checksum }) },
      signedAt,
      expiresInSeconds: 3_600,
    },
    credentials,
  );
  return `http://${HOST}${path}?${query}`;
}

/** The path as it is, and the query in a fixed order. */
function comparable(url: string) {
  const [path, query = ''] = url.split('?');
  return { path, query: query.split('&').sort() };
}

async function expectTheSame(part: Part, credentials: SignatureCredentials): Promise<void> {
  expect(comparable(signedByUs(part, credentials))).toEqual(comparable(await signedBySdk(part, credentials)));
}

describe('our signer makes the same URL as the SDK', () => {
  const keys = [
    'film.mkv',
    'a film.mkv',
    'zwölf/über uns.mp4',
    'a+b=c&d.bin',
    '(1) [2] {3}.txt',
    '*!\'"~`^|<>#%?;:@,$.bin',
    'emoji/🎬👩‍💻.mov',
    'percent%20encoded%2Falready',
    'e\u0301 decomposed',
  ];
  const ways = [
    ['a key', KEY, {}],
    ['a key, with a checksum', KEY, { checksum: 'k+/aHQ==' }],
    ['a session', SESSION, {}],
    ['a session, with a checksum', SESSION, { checksum: 'k+/aHQ==' }],
  ] as const;

  it.each(ways.flatMap(([way, credentials, part]) => keys.map((key) => [way, key, credentials, part] as const)))(
    'with %s: %s',
    (_, key, credentials, part) => expectTheSame({ key, ...part }, credentials),
  );

  it('for any key and upload id', async () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !/[/\p{Cc}]|^\.{1,2}$/u.test(text));
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 4 }), segment, (segments, uploadId) =>
        expectTheSame({ key: segments.join('/'), uploadId }, SESSION),
      ),
      { numRuns: 100 },
    );
  });

  it('on the next day, with other credentials of the same day, and with the first ones again', async () => {
    await expectTheSame({ key: 'k' }, KEY);
    await expectTheSame({ key: 'k', signedAt: new Date('2026-11-26T00:00:00Z') }, KEY);
    await expectTheSame({ key: 'k' }, KEY);
    await expectTheSame({ key: 'k' }, { accessKeyId: 'AKIDOTHER', secretAccessKey: 'another' });
    await expectTheSame({ key: 'k' }, KEY);
  });
});
