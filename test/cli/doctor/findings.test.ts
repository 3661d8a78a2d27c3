import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clockOffset, judgeClock } from '../../../src/cli/doctor/clock.ts';
import { judgeForgedWrite, judgeWellKnownIds } from '../../../src/cli/doctor/forgery.ts';
import { checkOrigins, judgeOrigins } from '../../../src/cli/doctor/origins.ts';
import { judgeSigning } from '../../../src/cli/doctor/signing.ts';
import { judgeBrokenTrial, judgeStoreAnswer } from '../../../src/cli/doctor/store-answer.ts';
import { LinkFailure } from '../../../src/client/network/link-failure.ts';
import type { StoreReport } from '../../../src/contract/wire.ts';
import type { ForgeryVerdict } from '../../../src/forgery/verdict.ts';
import { directAgent } from '../../../src/outbound/direct-agent.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { NOON } from '../../support/client/cli-run.ts';

function s3Error(status: number, code: string, message = '…') {
  return { status, headers: {}, text: `<Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}

describe('the answer of the store', () => {
  it.each([
    [s3Error(403, 'SignatureDoesNotMatch'), 'Set PARTWAY_S3_PUBLIC_ENDPOINT to exactly the address that clients use'],
    [
      s3Error(403, 'AccessDenied', 'Request has expired'),
      'The clocks of the server and the store disagree (the store differs from this machine by 10 min)',
    ],
    [s3Error(403, 'AccessDenied', 'Request is not valid yet'), 'The clocks of the server and the store disagree'],
    [s3Error(403, 'AccessDenied', 'Access Denied.'), 's3:PutObject'],
    [s3Error(403, 'InvalidAccessKeyId'), 'PARTWAY_S3_ACCESS_KEY_ID'],
    [s3Error(404, 'NoSuchUpload'), 'leads to another store'],
    [s3Error(404, 'NoSuchBucket'), 'PARTWAY_S3_BUCKET'],
    [s3Error(507, 'XMinioStorageFull'), 'no space left'],
    [s3Error(503, 'SlowDown'), 'again in a minute'],
    [{ status: 200, headers: {}, text: '<html>Welcome to nginx</html>' }, 'no object store'],
  ])('%o is explained', (answer, advice) => {
    const finding = judgeStoreAnswer(answer, 'store:9000', 600_000, MiB);
    expect(finding.outcome).toBe('fail');
    expect(finding.advice).toContain(advice);
  });

  it('is good when it has an ETag', () => {
    expect(judgeStoreAnswer({ status: 200, headers: { etag: '"e"' }, text: '' }, 'store:9000', 0, MiB).outcome).toBe('ok');
  });
});

describe("an answer that is not the store's", () => {
  const answer = (status: number) => ({ status, headers: { 'content-type': 'text/html', server: 'squid' }, text: '<html>' });

  it.each([
    [413, 'client_max_body_size'],
    [407, 'wants a login'],
    [403, 'forbids it'],
    [400, 'no error of S3'],
  ])("%d is named as a proxy's, with the size that was tried", (status, advice) => {
    const finding = judgeStoreAnswer(answer(status), 'store:9000', 0, 16 * MiB);
    expect(finding.detail).toBe(
      `something between here and store:9000 refused 16.0 MiB: HTTP ${status} (text/html, squid). The object store did not answer`,
    );
    expect(finding.advice).toContain(advice);
  });

  it('may be missing: the finding says how much was sent', () => {
    const failure = new LinkFailure(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    const broken = { host: 'store:9000', failure, sentBytes: 3 * MiB, size: 16 * MiB, ms: 3_000 };
    expect(judgeBrokenTrial(broken).detail).toBe(
      'the connection to store:9000 broke after 3 s, with 3.00 MiB of 16.0 MiB handed over: ECONNRESET',
    );
    expect(judgeBrokenTrial({ ...broken, sentBytes: 0 }).detail).toContain('cannot be reached');
  });

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
    ['CERT_HAS_EXPIRED', 'renew the certificate'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'the name that the certificate is for'],
  ])('may be a certificate that is not trusted: %s is told, and what to do', (code, advice) => {
    const failure = new LinkFailure(Object.assign(new Error('no'), { code }));
    const finding = judgeBrokenTrial({ host: 'store:9000', failure, sentBytes: 0, size: 16 * MiB, ms: 3 });
    expect(finding.detail).toBe(`store:9000 cannot be trusted from this machine: its certificate is not trusted (${code})`);
    expect(finding.advice).toContain(advice);
  });
});

describe('the signer of part URLs', () => {
  const none = { canRead: false, canList: false, canDelete: false };
  const judge = (signing: Partial<StoreReport['signing']>) =>
    judgeSigning({
      bucket: 'uploads',
      keyPrefix: 'team/',
      signing: { credentials: 'key', expiresAt: null, ...none, ...signing },
    });

  it('is good if it can only put', () => {
    expect(judge({}).outcome).toBe('ok');
    expect(judge({ credentials: 'sts', expiresAt: '2026-11-24T14:00:00.000Z' })).toMatchObject({
      outcome: 'ok',
      detail: expect.stringContaining('a temporary session until 2026-11-24T14:00:00.000Z, which can put and nothing else'),
    });
  });

  it.each<[Partial<StoreReport['signing']>, string, string]>([
    [{ credentials: 'shared' }, "the server's own key", 'PARTWAY_S3_SIGNING_ACCESS_KEY_ID'],
    [{ credentials: 'shared', canRead: true, canList: true }, "the server's own key, which can also read, list in", 'STS'],
    [{ canDelete: true }, 'a key of its own, which can also delete in bucket uploads', 'arn:aws:s3:::uploads/team/*'],
    [{ credentials: 'sts', canRead: true }, 'a temporary session, which can also read', 'ignores the policy'],
  ])('is warned of: %o', (signing, detail, advice) => {
    const finding = judge(signing);
    expect(finding.outcome).toBe('warn');
    expect(finding.detail).toContain(detail);
    expect(finding.advice).toContain(advice);
  });
});

describe('forged writes', () => {
  it.each([
    ['open', 'fail'],
    ['shielded', 'ok'],
    ['no-hole', 'ok'],
    ['no-such-id', 'info'],
    ['unknown', 'info'],
  ] as const)('that are %s give %s', (verdict, outcome) => {
    expect(judgeForgedWrite(verdict, 'store:9000').outcome).toBe(outcome);
  });

  it('under an id that can be guessed fail whatever the other ids say, and are not called refused if nothing is known', () => {
    const judge = (...verdicts: ForgeryVerdict[]) =>
      judgeWellKnownIds(verdicts.map((verdict, index) => [`id-${index}`, verdict]));
    expect(judge('no-such-id', 'shielded', 'no-hole').outcome).toBe('ok');
    expect(judge('unknown', 'open', 'no-such-id')).toMatchObject({ outcome: 'fail', detail: expect.stringContaining('id-1') });
    expect(judge('no-such-id', 'unknown').outcome).toBe('info');
  });
});

describe('origins of pages', () => {
  const SERVER = 'https://uploads.example.com';

  it('that the server allows as * are named as the cause if the store allows any', () => {
    const results = [{ origin: 'https://partway-doctor.invalid', allowed: true }];
    const [finding] = judgeOrigins({ server: `${SERVER}/`, configured: ['*'] }, results);
    expect(finding).toMatchObject({ outcome: 'warn', advice: expect.stringContaining('PARTWAY_CORS_ORIGINS instead of *') });
  });

  it('are at most ten, and text that is no origin is not tried', async () => {
    const asked: string[] = [];
    const store = createServer(({ headers }, response) => {
      asked.push(headers.origin ?? '');
      response.end();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void store.close());
    await once(store, 'listening');
    const url = `http://127.0.0.1:${(store.address() as AddressInfo).port}/a`;
    const many = Array.from({ length: 100 }, (_, no) => `https://${no}.example.com`);
    const part = { partNumber: 1, method: 'PUT', url, headers: {}, start: 0, end: 0, expiresAt: '' } as const;
    const findings = await checkOrigins(
      part,
      {
        server: SERVER,
        configured: ['https://a/b', '\u001b[2J', 'javascript:0', ...many],
      },
      directAgent,
    );
    expect(asked).toHaveLength(11);
    expect(asked).toContain(SERVER);
    expect(asked.filter((origin) => !/^https:\/\/[\w.-]+$/.test(origin))).toEqual([]);
    expect(findings.map(({ detail }) => detail).join()).not.toContain('\u001b');
  });
});

describe('clocks', () => {
  it('may differ by a minute', () => {
    expect(judgeClock('the store', -60_000)).toMatchObject([{ outcome: 'ok' }]);
    expect(judgeClock('the store', 61_000)).toMatchObject([{ outcome: 'warn', detail: '1 min 1 s ahead of this machine' }]);
    expect(judgeClock('the store', -61_000)).toMatchObject([{ outcome: 'warn', detail: '1 min 1 s behind this machine' }]);
  });

  it('that are unknown are not judged', () => {
    expect(judgeClock('the store', clockOffset(undefined, NOON))).toEqual([]);
    expect(judgeClock('the store', clockOffset('yesterday', NOON))).toEqual([]);
  });
});
