import { describe, expect, it } from 'vitest';
import { parseOrigins } from '../../../src/server/http/cors.ts';
import { ADMIN_TOKEN, readProblem, SMALL_FILE_REQUEST } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

const APP = 'https://app.example.com';
const AUTHORIZED = { authorization: `Bearer ${ADMIN_TOKEN}` };
const preflight = (origin: string) => ({
  origin,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization,content-type,idempotency-key',
});

describe('failed authentication', () => {
  it('is answered 429 with Retry-After after ten times in a minute, though a valid token is let in', async () => {
    const bench = new EdgeBench();
    for (let failure = 0; failure < 10; failure++) expect((await bench.list(`pw_guess-${failure}`)).status).toBe(401);
    const response = await bench.list('pw_guess');
    expect(response.headers.get('retry-after')).toMatch(/^(60|59)$/);
    expect(await readProblem(response)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
    bench.address = '192.0.2.2';
    expect((await bench.list('pw_guess')).status).toBe(401);
  });

  it('concerns the API alone: health checks need no token', async () => {
    const bench = new EdgeBench({ failures: { failures: 1 } });
    await bench.list('pw_guess');
    expect((await bench.list('pw_guess')).status).toBe(429);
    for (const path of ['/healthz', '/readyz', '/openapi.json']) expect((await bench.send('GET', path)).status).toBe(200);
  });

  it('and its refusal show and log nothing of the token', async () => {
    const bench = new EdgeBench({ failures: { failures: 1 } });
    const answers = [await bench.list('pw_swordfish'), await bench.list('pw_swordfish')];
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(JSON.stringify([texts, bench.logged])).not.toContain('swordfish');
  });
});

describe('CORS', () => {
  it('is off unless origins are allowed', async () => {
    const bench = new EdgeBench();
    for (const [method, headers] of [
      ['OPTIONS', preflight(APP)],
      ['GET', { ...AUTHORIZED, origin: APP }],
    ] as const) {
      expect((await bench.send(method, '/api/uploads', headers)).headers.has('access-control-allow-origin')).toBe(false);
    }
  });

  it('answers a preflight of an allowed origin without a token, and does not count it as a failure', async () => {
    const bench = new EdgeBench({ edge: { corsOrigins: [APP] }, failures: { failures: 1 } });
    for (let request = 0; request < 5; request++) {
      const response = await bench.send('OPTIONS', '/api/uploads', preflight(APP));
      expect(response.status).toBe(204);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'access-control-allow-origin': APP,
        'access-control-allow-methods': 'GET,POST,DELETE',
        'access-control-allow-headers': 'Authorization,Content-Type,Idempotency-Key,Accept,X-Request-Id',
        'access-control-max-age': '3600',
      });
      expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    }
    expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
  });

  it.each(['https://app.example.com.evil.example', 'http://app.example.com', 'https://app.example.com:8443', 'null'])(
    'allows no other origin: %s',
    async (origin) => {
      const bench = new EdgeBench({ edge: { corsOrigins: [APP] } });
      const responses = [
        await bench.send('OPTIONS', '/api/uploads', preflight(origin)),
        await bench.send('GET', '/api/uploads', { ...AUTHORIZED, origin }),
      ];
      for (const { headers } of responses) {
        expect(headers.has('access-control-allow-origin')).toBe(false);
        expect(headers.get('vary')).toContain('Origin');
      }
    },
  );

  it('sets Vary on answers without an origin, too, because another origin gets another answer', async () => {
    const bench = new EdgeBench({ edge: { corsOrigins: [APP] } });
    const { headers } = await bench.send('GET', '/api/uploads', AUTHORIZED);
    expect(headers.get('vary')).toBe('Origin');
  });

  it('allows any origin where the setting is *', async () => {
    const bench = new EdgeBench({ edge: { corsOrigins: parseOrigins('*') } });
    const { headers } = await bench.send('GET', '/api/uploads', { ...AUTHORIZED, origin: 'https://anywhere.example' });
    expect(headers.get('access-control-allow-origin')).toBe('*');
  });

  it('lets the page read refusals, their Retry-After and their request id', async () => {
    const bench = new EdgeBench({ edge: { corsOrigins: [APP] }, failures: { failures: 1 } });
    for (const status of [401, 429]) {
      const response = await bench.send('GET', '/api/uploads', { origin: APP, authorization: 'Bearer pw_guess' });
      expect(response.status).toBe(status);
      expect(response.headers.get('access-control-allow-origin')).toBe(APP);
      expect(response.headers.get('access-control-expose-headers')).toBe('Retry-After,X-Request-Id,Date');
    }
  });

  it('leaves an OPTIONS request that is not a preflight to the API', async () => {
    const bench = new EdgeBench({ edge: { corsOrigins: [APP] } });
    expect((await bench.send('OPTIONS', '/api/uploads', { origin: APP })).status).toBe(401);
    expect((await bench.send('OPTIONS', '/healthz', { 'access-control-request-method': 'GET' })).status).toBe(404);
  });
});

describe('origins', () => {
  it('are read from a list', () => {
    expect(parseOrigins(' https://app.example.com, http://localhost:5173 ,')).toEqual([APP, 'http://localhost:5173']);
    expect(parseOrigins('')).toEqual([]);
  });

  it.each([
    'app.example.com',
    `${APP}/`,
    `${APP}/page`,
    'https://App.example.com',
    'https://app.example.com:443',
    'https://*.example.com',
    'http://*',
    'file:///a',
    'null',
  ])('are written as browsers send them, not %s', (text) => {
    expect(() => parseOrigins(`${APP},${text}`)).toThrow(`"${text}"`);
  });
});

describe('security headers', () => {
  const EXPECTED = {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  };

  it('are on every answer, errors and preflights included', async () => {
    const bench = new EdgeBench({ edge: { corsOrigins: [APP] } });
    const failing = new EdgeBench();
    failing.objects.failNext('headObject', new TypeError('unforeseen'));
    const answers: [Promise<Response>, number][] = [
      [bench.send('GET', '/healthz'), 200],
      [bench.send('GET', '/openapi.json'), 200],
      [bench.send('GET', '/problems/rate-limited'), 200],
      [bench.list(ADMIN_TOKEN), 200],
      [bench.list('pw_guess'), 401],
      [bench.send('GET', '/nosuch'), 404],
      [bench.send('POST', '/api/uploads', AUTHORIZED, { size: 1 }), 400],
      [bench.send('POST', '/api/uploads', AUTHORIZED, SMALL_FILE_REQUEST), 201],
      [bench.send('OPTIONS', '/api/uploads', preflight(APP)), 204],
      [failing.send('POST', '/api/uploads', AUTHORIZED, SMALL_FILE_REQUEST), 500],
    ];
    for (const [answer, status] of answers) {
      const response = await answer;
      expect(response.status).toBe(status);
      expect(Object.fromEntries(response.headers)).toMatchObject(EXPECTED);
      for (const name of ['server', 'x-powered-by', 'strict-transport-security']) expect(response.headers.has(name)).toBe(false);
    }
  });

  it('ask for TLS in future where there is TLS', async () => {
    const bench = new EdgeBench({ edge: { tls: true } });
    expect((await bench.send('GET', '/healthz')).headers.get('strict-transport-security')).toBe('max-age=31536000');
  });

  it('leave the live stream of progress as it is', async () => {
    const bench = new EdgeBench();
    const { sessionId } = await bench.openTinySession();
    const headers = { ...AUTHORIZED, accept: 'text/event-stream' };
    const response = await bench.send('GET', `/api/uploads/${sessionId}/progress`, headers);
    expect(Object.fromEntries(response.headers)).toMatchObject({ ...EXPECTED, 'content-type': 'text/event-stream' });
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toMatch(/^event: progress\ndata: \{/);
    await reader?.cancel();
  });
});
