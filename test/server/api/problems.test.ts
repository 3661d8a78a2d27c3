import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_PLAIN_BODY_BYTES, MAX_SMALL_BODY_BYTES, maxPartListBytes, PATHS } from '../../../src/contract/paths.ts';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, problemType } from '../../../src/contract/problems.ts';
import { problem as problemSchema } from '../../../src/contract/schemas.ts';
import type { ProblemDocument } from '../../../src/contract/wire.ts';
import { ObjectStoreError } from '../../../src/object-store/port.ts';
import { SERVICE_ERROR_CODES, UploadError } from '../../../src/session/errors.ts';
import { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';
import { ADMIN_TOKEN, ControlPlaneBench, readProblem, SMALL_FILE_REQUEST } from '../../support/server/control-plane.ts';

const MiB = 1024 ** 2;

let bench: ControlPlaneBench;
beforeEach(() => {
  bench = new ControlPlaneBench();
});

/** Requests that fail, one for each reason; their details are tested elsewhere. */
const failures: [string, (bench: ControlPlaneBench) => Promise<Response>, ProblemDocument['code']][] = [
  ['a bad body', (b) => b.send('POST', '/api/uploads', { body: { size: 1 } }), 'INVALID_REQUEST'],
  ['no JSON', (b) => b.send('POST', '/api/uploads', { body: '{"size":' }), 'INVALID_REQUEST'],
  ['a bad key', (b) => b.send('POST', '/api/uploads', { body: { fileName: '/', size: 1 } }), 'INVALID_KEY'],
  ['a bad plan', (b) => b.send('POST', '/api/uploads', { body: { fileName: 'a', size: 1, partSize: 1 } }), 'INVALID_PLAN'],
  ['no token', (b) => b.send('GET', '/api/uploads', { token: null }), 'UNAUTHORIZED'],
  ['an unknown path', (b) => b.send('GET', '/nosuch'), 'ROUTE_NOT_FOUND'],
  ['an unknown path of the API', (b) => b.send('GET', '/api/nosuch'), 'ROUTE_NOT_FOUND'],
  ['a method that a path does not have', (b) => b.send('PUT', '/api/uploads'), 'ROUTE_NOT_FOUND'],
  ['an unknown session', (b) => b.send('GET', '/api/uploads/nosuch'), 'SESSION_NOT_FOUND'],
  ['a large body', (b) => b.send('POST', '/api/uploads', { body: ' '.repeat(3 * MiB) }), 'BODY_TOO_LARGE'],
  ['an unknown problem', (b) => b.send('GET', '/problems/nosuch'), 'ROUTE_NOT_FOUND'],
];

describe('every error', () => {
  it.each(failures)('is a problem document of a listed code and its status: %s', async (_, send, code) => {
    const response = await send(bench);
    expect(response.status).toBe(PROBLEMS[code].status);
    expect(response.headers.get('content-type')).toBe(PROBLEM_MEDIA_TYPE);
    const problem = problemSchema.parse(await response.json());
    expect(problem).toMatchObject({
      code,
      type: problemType(code),
      title: PROBLEMS[code].title,
      status: response.status,
      instance: response.headers.get('x-request-id'),
    });
    expect(problem.detail).not.toBe('');
    expect(problem.instance).not.toBe('');
  });

  it('carries the request id that the client chose, and the log has it too', async () => {
    const problem = await bench.askForProblem('GET', '/api/uploads/nosuch', { headers: { 'x-request-id': 'my-request-7' } });
    expect(problem.instance).toBe('my-request-7');
    expect(bench.logged).toMatchObject([{ fields: { requestId: 'my-request-7', status: 404 } }]);
  });

  it.each([
    ['unavailable', 'STORE_UNAVAILABLE'],
    ['bucket-missing', 'BUCKET_NOT_FOUND'],
    ['refused', 'STORE_REFUSED'],
    ['full', 'STORE_FULL'],
  ] as const)('of the object store has a code of its own: %s', async (failure, code) => {
    bench.objects.failNext('headObject', failure);
    const problem = await bench.askForProblem('POST', '/api/uploads', { body: SMALL_FILE_REQUEST });
    expect(problem).toMatchObject({ code, status: PROBLEMS[code].status });
  });

  it('of a database that is away for a while is temporary, and does not say where the database is', async () => {
    const away = new ControlPlaneBench({
      aroundSessions: () =>
        Promise.reject(new SessionStoreUnavailable('PostgreSQL cannot be reached: connect ECONNREFUSED 10.0.0.7:5432.')),
    });
    const response = await away.send('POST', '/api/uploads', { body: SMALL_FILE_REQUEST });
    expect(response.headers.get('retry-after')).toBe('2');
    const problem = await readProblem(response);
    expect(problem).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE', detail: expect.stringContaining('database') });
    const ready = await away.askForProblem('GET', '/readyz');
    expect(ready).toMatchObject({
      status: 503,
      checks: { database: { ok: false, code: 'STORE_UNAVAILABLE' }, bucket: { ok: true } },
    });
    expect(JSON.stringify([problem, ready])).not.toContain('10.0.0.7');
  });

  it('of too many requests says when to come again, also where the time is not known exactly', async () => {
    bench.objects.failNext('headObject', new UploadError('RATE_LIMITED', 'too many'));
    const response = await bench.send('POST', '/api/uploads', { body: SMALL_FILE_REQUEST });
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await readProblem(response)).toMatchObject({ status: 429, code: 'RATE_LIMITED', retryAfterSeconds: 1 });
  });

  it('that is temporary says when to come again', async () => {
    bench.objects.failNext('headObject', 'unavailable');
    const response = await bench.send('POST', '/api/uploads', { body: SMALL_FILE_REQUEST });
    expect(response.status).toBe(503);
    const problem = await readProblem(response);
    expect(problem.retryAfterSeconds).toBeGreaterThan(0);
    expect(response.headers.get('retry-after')).toBe(String(problem.retryAfterSeconds));
  });

  it.each([
    ['an error', new TypeError('the secret is swordfish')],
    ['a code that only clients have', new UploadError('SOURCE_CHANGED', 'the secret is swordfish')],
  ])('that is unexpected (%s) is 500 INTERNAL without its message, which the log has', async (_, thrown) => {
    bench.objects.failNext('headObject', thrown);
    const response = await bench.send('POST', '/api/uploads', { body: SMALL_FILE_REQUEST });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'INTERNAL' });
    expect(text).not.toContain('swordfish');
    const { fields } = bench.logged.find(({ level }) => level === 'error') ?? {};
    expect(fields).toMatchObject({ code: 'INTERNAL', err: thrown, requestId: JSON.parse(text).instance });
  });
});

describe('a body', () => {
  it.each<[string, number, string, object, number]>([
    ['64 KiB', MAX_PLAIN_BODY_BYTES, '', SMALL_FILE_REQUEST, 201],
    ['4 KiB', MAX_SMALL_BODY_BYTES, '/{id}/capabilities', {}, 201],
    ['64 KiB', MAX_PLAIN_BODY_BYTES, '/{id}/parts/presign', { partNumbers: [1] }, 200],
    ['64 KiB and 3 parts', maxPartListBytes(3), '/{id}/report', { clientId: 'client-1' }, 200],
    ['64 KiB and 3 parts', maxPartListBytes(3), '/{id}/complete', {}, 409],
  ])(
    'of %s (%i bytes) is read at …%s, and one byte more is refused with the limit named',
    async (_, most, path, request, status) => {
      const { sessionId } = await bench.create({ key: 'another' });
      const send = (length: number) => {
        const body = JSON.stringify(request).padEnd(length);
        const headers = { 'content-length': String(length) };
        return bench.send('POST', `/api/uploads${path.replace('{id}', sessionId)}`, { body, headers });
      };
      expect((await send(most)).status).toBe(status);
      const problem = await readProblem(await send(most + 1));
      expect(problem).toMatchObject({
        code: 'BODY_TOO_LARGE',
        maxBodyBytes: most,
        detail: expect.stringContaining(String(most)),
      });
    },
  );

  it('may be larger for a session of many parts, but not from a caller that may not change the session', async () => {
    const { sessionId } = await bench.create({ key: 'large', size: 9_000 * 5 * MiB });
    const body = JSON.stringify({ clientId: 'client-1' }).padEnd(maxPartListBytes(9_000));
    const headers = { 'content-length': String(body.length) };
    const path = `/api/uploads/${sessionId}/report`;
    expect((await bench.send('POST', path, { body, headers })).status).toBe(200);
    const token = await bench.issueToken({ name: 'another', scopes: ['upload'] });
    expect(await bench.askForProblem('POST', path, { body, headers, token })).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    const reader = await bench.issueToken({ name: 'reader', scopes: ['read'] });
    expect(await bench.askForProblem('POST', path, { body, headers, token: reader })).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('that comes in chunks of unknown length is counted as it comes', async () => {
    const chunk = new TextEncoder().encode(' '.repeat(MiB));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ === 50) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
    const response = await bench.app.request('/api/uploads', { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    expect(await readProblem(response)).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
    expect(sent).toBeLessThan(10);
  });

  it.each<[string, string, Record<string, string>]>([
    ['that is cut off', '{"fileName":"a"', {}],
    ['that is empty', '', {}],
    ['that is an array', '[]', {}],
    ['that is null', 'null', {}],
    ['that nests without end', `{"fileName":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, {}],
    ['of another content type', JSON.stringify(SMALL_FILE_REQUEST), { 'content-type': 'text/plain' }],
  ])('%s is answered 400, and nothing is made', async (_, body, headers) => {
    const problem = await bench.askForProblem('POST', '/api/uploads', { body, headers });
    expect(problem).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(bench.objects.calls).toEqual([]);
  });

  it('without a content type is answered 400', async () => {
    const body = new TextEncoder().encode(JSON.stringify(SMALL_FILE_REQUEST));
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const response = await bench.app.request('/api/uploads', { method: 'POST', headers, body });
    expect(await readProblem(response)).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
  });

  it('names a field in its JSON pointer as RFC 6901 writes it', async () => {
    const body = { ...SMALL_FILE_REQUEST, metadata: { 'a/b~c': 'd' } };
    const problem = await bench.askForProblem('POST', '/api/uploads', { body });
    expect(problem.errors?.[0]?.pointer).toBe('/metadata/a~1b~0c');
  });
});

describe('the token', () => {
  it.each<[string, Record<string, string>]>([
    ['no header', {}],
    ['a wrong token', { authorization: 'Bearer wrong-token-of-the-tests' }],
    ['a longer token', { authorization: `Bearer ${ADMIN_TOKEN}x` }],
    ['a part of the token', { authorization: `Bearer ${ADMIN_TOKEN.slice(0, -1)}` }],
    ['another scheme', { authorization: `Basic ${btoa(`admin:${ADMIN_TOKEN}`)}` }],
    ['no scheme', { authorization: ADMIN_TOKEN }],
    ['an empty token', { authorization: 'Bearer ' }],
    ['two tokens', { authorization: `Bearer ${ADMIN_TOKEN} ${ADMIN_TOKEN}` }],
  ])('is needed by every path of the API, before anything else is checked: %s', async (_, headers) => {
    for (const [method, path] of [
      ['POST', '/api/uploads'],
      ['GET', '/api/uploads'],
      ['GET', '/api/uploads/nosuch'],
      ['DELETE', '/api/uploads/nosuch'],
      ['GET', '/api/uploads/nosuch/progress'],
      ['GET', '/api/upload/nosuch/progress'],
      ['POST', '/api/uploads/nosuch/parts/presign'],
      ['GET', '/api/nosuch'],
    ] as const) {
      const response = await bench.send(method, path, { token: null, headers });
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await readProblem(response)).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    }
  });

  it('is not in the answer that refuses it, nor in the log', async () => {
    const problem = await bench.askForProblem('GET', '/api/uploads', { token: 'wrong-token-of-the-tests' });
    expect(JSON.stringify([problem, bench.logged])).not.toContain('wrong-token');
  });

  it('is not needed for health, readiness, the description of the API and of its problems', async () => {
    for (const path of [PATHS.healthz, PATHS.readyz, PATHS.openapi, problemType('INTERNAL')]) {
      expect((await bench.send('GET', path, { token: null })).status).toBe(200);
    }
  });
});

describe('/healthz and /readyz', () => {
  it('answer that everything works', async () => {
    expect(await bench.ask('GET', '/healthz')).toEqual({ ok: true });
    expect(await bench.ask('GET', '/readyz')).toEqual({
      ready: true,
      checks: { database: { ok: true }, bucket: { ok: true }, signing: { ok: true }, forgedWrites: { ok: true } },
    });
  });

  it('distinguish a process that answers from one that can work', async () => {
    bench.objects.bucketMissing = true;
    expect(await bench.ask('GET', '/healthz')).toEqual({ ok: true });
    expect(await bench.askForProblem('GET', '/readyz')).toMatchObject({ ready: false });
  });

  it.each([
    ['unavailable', 503, 'STORE_UNAVAILABLE'],
    ['bucket-missing', 502, 'BUCKET_NOT_FOUND'],
    ['refused', 502, 'STORE_REFUSED'],
  ] as const)("answer for a store that is %s: %i %s, without the store's own words", async (failure, status, code) => {
    bench.objects.failNext('checkBucket', new ObjectStoreError(failure, 'the words of the store'));
    const response = await bench.send('GET', '/readyz', { token: null });
    expect(response.headers.has('retry-after')).toBe(failure === 'unavailable');
    const problem = await readProblem(response);
    const checks = { database: { ok: true }, bucket: { ok: false, code, detail: PROBLEMS[code].title } };
    expect(problem).toMatchObject({ status, code, ready: false, checks });
    expect(JSON.stringify(problem)).not.toContain('the words of the store');
    expect(JSON.stringify(bench.logged.map(({ message }) => message))).toContain('the words of the store');
  });

  it('notice a database that cannot serve', async () => {
    await bench.sessions.close();
    const problem = await bench.askForProblem('GET', '/readyz');
    const checks = { database: { ok: false, code: 'INTERNAL', detail: PROBLEMS.INTERNAL.title }, bucket: { ok: true } };
    expect(problem).toMatchObject({ status: 500, code: 'INTERNAL', ready: false, checks });
  });
});

describe('/problems/{slug}', () => {
  it.each(SERVICE_ERROR_CODES)('explains %s', async (code) => {
    const response = await bench.send('GET', problemType(code), { token: null });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const page = await response.text();
    expect(page).toContain(code);
    expect(page).toContain(String(PROBLEMS[code].status));
    expect(page).toContain(PROBLEMS[code].explanation);
  });
});

describe('the log of requests', () => {
  it('has method, path, status and id, and neither query nor headers nor bodies', async () => {
    await bench.send('POST', '/api/uploads?secret=swordfish', { body: { ...SMALL_FILE_REQUEST, fileName: 'swordfish.mkv' } });
    expect(bench.logged).toEqual([
      {
        level: 'info',
        message: 'request',
        fields: { requestId: expect.any(String), method: 'POST', path: '/api/uploads', status: 201, ms: expect.any(Number) },
      },
    ]);
  });
});

describe('the faults of a body', () => {
  it.each([
    ['checksums', (id: string) => `${id}/parts/presign`, { partNumbers: [1], checksums: many((number) => [number, 'x']) }],
    ['metadata', () => '', { fileName: 'a', size: 1, metadata: many((number) => [`n${number}`, 1]) }],
    ['tags', () => '', { fileName: 'a', size: 1, tags: many((number) => [`n${number}`, 1]) }],
    ['unknown fields', () => '', { fileName: 'a', size: 1, ...many((number) => [`n${number}`, 1]) }],
  ])('in thousands of %s are answered with some of them, in an answer smaller than the body', async (_, path, body) => {
    const { sessionId } = await bench.create();
    const response = await bench.send('POST', `/api/uploads${path(`/${sessionId}`)}`, { body });
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeLessThan(16 * 1024);
  });

  function many(entry: (number: number) => [number | string, unknown]): Record<string, unknown> {
    return Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => entry(index + 1)));
  }
});
