import { describe, expect, it } from 'vitest';
import { describeAnswer, judgeAnswer, type PartAnswer, type Verdict } from '../../../src/client/part/part-answer.ts';
import { readS3Error } from '../../../src/outbound/s3-error.ts';

function anAnswer(status: number, code?: string, message?: string): PartAnswer {
  return { status, code, message, etag: undefined, retryAfterSeconds: undefined };
}

/** Every answer to a part's PUT that was measured (minio-facts 15, and where it was seen), and what S3 documents besides. */
const MEASURED: [status: number, code: string | undefined, message: string, verdict: Verdict['kind']][] = [
  [403, 'AccessDenied', 'Request has expired', 'sign-again'], // 4.1
  [403, 'AccessDenied', 'Request is not valid yet', 'sign-again'], // 4.4
  [403, 'AccessDenied', 'Access Denied.', 'sign-again'],
  [403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match', 'sign-again'], // 2.3, 4.8
  [403, 'RequestTimeTooSkewed', 'The difference is too large.', 'sign-again'], // 4.6
  [403, 'InvalidAccessKeyId', 'The Access Key Id does not exist', 'sign-again'], // 2.15
  [403, undefined, '', 'sign-again'],
  [400, 'AccessDenied', 'There were headers present in the request which were not signed', 'refused'], // 2.5
  [400, 'XAmzContentChecksumMismatch', 'The provided checksum does not match', 'bytes-differ'], // 2.5
  [400, 'BadDigest', 'The Content-Md5 you specified did not match', 'bytes-differ'], // 2.8
  [400, 'XAmzContentSHA256Mismatch', 'The provided hash does not match', 'bytes-differ'], // 2.11
  [404, 'NoSuchUpload', 'The specified multipart upload does not exist.', 'upload-lost'], // 4.10, 4.26, 4.27
  [404, 'NoSuchBucket', 'The specified bucket does not exist', 'refused'], // 4.11
  [411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.', 'refused'], // 5.1
  [400, 'InvalidPart', 'One or more of the specified parts could not be found.', 'refused'], // 4.12
  [400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', 'refused'], // 4.12
  [400, 'InvalidArgument', '(checksum missing, want "CRC32", got "")', 'refused'], // 3.2
  [400, 'InvalidBucketName', 'The specified bucket is not valid.', 'refused'], // 4.11
  [400, 'AuthorizationQueryParametersError', 'X-Amz-Expires must be less than a week', 'refused'], // 4.7
  [400, 'MissingFields', 'Missing fields in request.', 'refused'], // 2.14
  [400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.', 'refused'], // 7.1
  [400, 'KeyTooLongError', 'Your key is too long', 'refused'], // 7.3
  [400, 'InvalidRequest', '(request has multiple authentication types, please use one)', 'refused'], // 2.12
  [429, 'TooManyRequests', 'Please reduce your request rate', 'busy'], // 14.4
  [503, 'RequestTimeout', 'A timeout occurred while trying to lock a resource', 'busy'], // 5.6
  [503, 'XMinioServerNotInitialized', 'Server not initialized yet, please try again.', 'busy'], // 1.3
  [503, 'SlowDown', 'Please reduce your request rate.', 'busy'],
  [503, undefined, '', 'not-the-store'],
  [400, 'RequestTimeout', 'Your socket connection to the server was not read from', 'busy'],
  [400, 'IncompleteBody', 'You did not provide the number of bytes', 'busy'], // 13.12
  [499, 'ClientDisconnected', 'Client disconnected before response was ready', 'busy'], // 5.4
  [502, undefined, '', 'not-the-store'],
  [504, undefined, '', 'not-the-store'],
  [499, undefined, '', 'not-the-store'],
  [524, undefined, '', 'not-the-store'],
  [507, 'XMinioStorageFull', 'Storage backend has reached its minimum free drive threshold.', 'store-full'], // 7.2, 14.2
  [507, undefined, '', 'store-full'],
  [500, 'InternalError', 'We encountered an internal error: cause(no space left on device)', 'store-full'], // 14.1
  [400, 'XMinioAdminBucketQuotaExceeded', 'Bucket quota exceeded', 'store-full'],
  [500, 'InternalError', 'We encountered an internal error, please try again.', 'failed'],
  [500, undefined, '', 'failed'],
  [408, undefined, '', 'not-the-store'],
  [301, 'PermanentRedirect', 'The bucket must be addressed using the specified endpoint.', 'refused'],
  [401, undefined, '', 'refused'],
  [404, undefined, '', 'refused'],
  [413, undefined, '', 'too-large'],
  [407, undefined, '', 'refused'],
];

describe("the answer to a part's PUT", () => {
  it.each(MEASURED)('%d %s "%s" means %s', (status, code, message, kind) => {
    expect(judgeAnswer(anAnswer(status, code, message)).kind).toBe(kind);
  });

  it('200 with an ETag means stored, and the ETag is kept as it came', () => {
    const answer = { ...anAnswer(200), etag: '"d41d8cd98f00b204e9800998ecf8427e"' };
    expect(judgeAnswer(answer)).toEqual({ kind: 'stored', etag: '"d41d8cd98f00b204e9800998ecf8427e"' });
  });

  it.each([200, 204, 302, 307, 511])(
    "%d in words that are not the store's is an outage: a sign-in page answers for it",
    (status) => {
      expect(judgeAnswer(anAnswer(status)).kind).toBe('not-the-store');
    },
  );

  it.each([
    [429, 'TooManyRequests', 'busy'],
    [503, 'SlowDown', 'busy'],
    [503, undefined, 'not-the-store'],
  ] as const)('%d %s carries how long to wait', (status, code, kind) => {
    expect(judgeAnswer({ ...anAnswer(status, code), retryAfterSeconds: 60 })).toEqual({ kind, retryAfterSeconds: 60 });
    expect(judgeAnswer(anAnswer(status, code))).toEqual({ kind, retryAfterSeconds: undefined });
  });

  it("a page with a server error is of something in between, and an error of the store's own is not", () => {
    const page = { ...anAnswer(500), contentType: 'text/html; charset=utf-8' };
    expect(judgeAnswer(page).kind).toBe('not-the-store');
    expect(judgeAnswer({ ...page, code: 'InternalError' }).kind).toBe('failed');
  });
});

describe('an answer in words', () => {
  it("is the store's code and text", () => {
    expect(describeAnswer(anAnswer(503, 'SlowDown', 'Please reduce your request rate.'))).toBe(
      'HTTP 503 SlowDown: Please reduce your request rate.',
    );
  });

  it('names what answered in its place', () => {
    expect(describeAnswer({ ...anAnswer(502), contentType: 'text/html; charset=utf-8', server: 'nginx' })).toBe(
      'HTTP 502 (text/html, nginx)',
    );
    expect(describeAnswer(anAnswer(200))).toBe('HTTP 200 without an ETag');
  });

  it('names the origin that a redirect leads to, without the signature that it may repeat', () => {
    const location = 'https://login.example/bucket/key?X-Amz-Signature=0123456789abcdef';
    expect(describeAnswer({ ...anAnswer(301), location })).toBe('HTTP 301 to https://login.example');
    expect(describeAnswer({ ...anAnswer(301), location: '/bucket/key?X-Amz-Signature=0' })).toBe('HTTP 301');
  });

  it('holds nothing that a terminal would obey, and is short', () => {
    const said = describeAnswer({ ...anAnswer(502), server: `\u001b[2J${'x'.repeat(1_000)}` });
    expect(said).not.toContain('\u001b');
    expect(said.length).toBeLessThan(300);
  });
});

describe("the store's error document", () => {
  it('gives its code and message', () => {
    const body =
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchUpload</Code><Message>No such upload.</Message><Key>k</Key><RequestId>1</RequestId></Error>';
    expect(readS3Error(body)).toEqual({ code: 'NoSuchUpload', message: 'No such upload.' });
  });

  it('has its entities turned back, decimal, hexadecimal and named', () => {
    const message = 'want &#34;CRC32&#34;, got &quot;&quot; &amp; it&#39;s &lt;b&gt; isn&apos;t&#xA;&#x1f3ac; &unknown; &amp;lt;';
    expect(readS3Error(`<Error><Code>A</Code><Message>${message}</Message></Error>`).message).toBe(
      'want "CRC32", got "" & it\'s <b> isn\'t\n🎬 &unknown; &lt;',
    );
  });

  it('leaves a number alone that is no character', () => {
    const message = 'odd &#99999999; &#x110000;';
    expect(readS3Error(`<Error><Message>${message}</Message></Error>`).message).toBe(message);
  });

  it.each(['', 'upstream connect error', '<html><body>502 Bad Gateway</body></html>', '<Error><Code>cut'])(
    'has no code in %j, which is not the words of a store',
    (body) => {
      expect(readS3Error(body)).toEqual({ code: undefined, message: undefined });
    },
  );

  it('may have an empty message', () => {
    expect(readS3Error('<Error><Code>A</Code><Message></Message></Error>')).toEqual({ code: 'A', message: '' });
  });
});
