import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type * as wire from '../../../src/contract/wire.ts';
import { newToken } from '../../../src/server/access/auth.ts';
import { createTokenAdmin } from '../../../src/server/access/tokens.ts';
import { sweep } from '../../../src/server/lifecycle/sweeper.ts';
import { createService } from '../../../src/server/service.ts';
import { type Limits, NO_LIMITS } from '../../../src/session/access.ts';
import { ADMIN_CALLER, ControlPlaneBench, SMALL_FILE, SMALL_FILE_REQUEST } from '../../support/server/control-plane.ts';

const SIZE = SMALL_FILE.length;
const DAY_MS = 86_400_000;

let bench: ControlPlaneBench;
beforeEach(() => {
  bench = new ControlPlaneBench();
  onTestFinished(() => bench.sessions.close());
});

function limitedToken(limits: Partial<Limits>): Promise<string> {
  return bench.issueToken({ name: 'team-a', limits: { ...NO_LIMITS, ...limits } });
}
const create = (token: string, changes: Partial<wire.CreateRequest> = {}) =>
  bench.ask<wire.Session>('POST', '/api/uploads', { token, body: { ...SMALL_FILE_REQUEST, ...changes } });
const refusedCreate = (token: string, changes: Partial<wire.CreateRequest> = {}) =>
  bench.askForProblem('POST', '/api/uploads', { token, body: { ...SMALL_FILE_REQUEST, ...changes } });
const usage = () => bench.sessions.usageOf('team-a');

it('sessions of a revoked token accept nothing more at once, and their parts are gone two minutes later', async () => {
  const token = await limitedToken({});
  const { sessionId } = await create(token);
  await bench.putParts(sessionId, SMALL_FILE, [1, 2]);
  await createTokenAdmin(bench.sessions, bench.audit, bench.clock.now).revoke('team-a', { abort: true });

  const presign = { body: { partNumbers: [3] } };
  expect(await bench.askForProblem('POST', `/api/uploads/${sessionId}/parts/presign`, presign)).toMatchObject({
    code: 'SESSION_NOT_OPEN',
    sessionStatus: 'aborting',
  });
  expect(bench.objects.uploadIds).toHaveLength(1);
  bench.clock.advance(2 * 60_000 + 1);
  await sweep(bench.deps);
  expect(bench.objects.uploadIds).toEqual([]);
  expect(await usage()).toEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
  expect(bench.audited.map(({ event }) => event).slice(-2)).toEqual(['token-revoked', 'aborted']);
});

describe('a quota', () => {
  it('is reserved at create and settled at complete, and a refusal names it to the byte', async () => {
    const token = await limitedToken({ quotaBytes: 2 * SIZE });
    const { sessionId } = await create(token, { key: 'a' });
    expect(await usage()).toEqual({ openSessions: 1, reservedBytes: SIZE, settledBytes: 0 });
    await bench.putParts(sessionId, SMALL_FILE);
    await bench.ask('POST', `/api/uploads/${sessionId}/complete`, { token });
    expect(await usage()).toEqual({ openSessions: 0, reservedBytes: 0, settledBytes: SIZE });

    await create(token, { key: 'b' });
    expect(await refusedCreate(token, { key: 'c', size: 1 })).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      quotaBytes: 2 * SIZE,
      settledBytes: SIZE,
      reservedBytes: SIZE,
    });
  });

  it('comes back when the session is aborted', async () => {
    const token = await limitedToken({ quotaBytes: SIZE, maxOpenSessions: 1 });
    const { sessionId } = await create(token, { key: 'a' });
    expect(await refusedCreate(token, { key: 'b' })).toMatchObject({ code: 'QUOTA_EXCEEDED' });

    await bench.ask('DELETE', `/api/uploads/${sessionId}`, { token });

    expect(await usage()).toEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
    await create(token, { key: 'b' });
  });

  it('comes back when the session expires', async () => {
    const token = await limitedToken({ quotaBytes: SIZE });
    await create(token, { key: 'a' });
    bench.clock.advance(8 * DAY_MS);

    await sweep(bench.deps);

    expect(await usage()).toEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
    expect(bench.audited.at(-1)).toMatchObject({ event: 'expired', key: 'a', size: SIZE });
  });

  it('comes back when the object store refuses the upload for good', async () => {
    const token = await limitedToken({ quotaBytes: SIZE });
    bench.objects.failNext('createMultipartUpload', 'refused');

    await refusedCreate(token, { key: 'a' });

    expect(await usage()).toEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
  });

  it('counts a file once, however often its create is repeated', async () => {
    const token = await limitedToken({ quotaBytes: SIZE, maxOpenSessions: 1 });
    const request = { key: 'a', fingerprint: 'print' };
    const first = await create(token, request);

    expect((await create(token, request)).sessionId).toBe(first.sessionId);
    expect(await usage()).toEqual({ openSessions: 1, reservedBytes: SIZE, settledBytes: 0 });
  });

  it('admits exactly as many simultaneous creates as fit', async () => {
    const token = await limitedToken({ quotaBytes: 3 * SIZE });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        bench.send('POST', '/api/uploads', { token, body: { ...SMALL_FILE_REQUEST, key: `file-${index}` } }),
      ),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, ...Array(9).fill(403)]);
    expect(await usage()).toEqual({ openSessions: 3, reservedBytes: 3 * SIZE, settledBytes: 0 });
  });

  it('belongs to the name: a new token of the name has what the old one left', async () => {
    await create(await limitedToken({ quotaBytes: SIZE }), { key: 'a' });

    expect(await refusedCreate(await limitedToken({ quotaBytes: SIZE }), { key: 'b' })).toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });
});

describe('a key', () => {
  it('that the client does not name is made below the prefix of the token', async () => {
    const token = await limitedToken({ keyPrefix: 'team-a/' });

    expect((await create(token)).key).toBe('team-a/film.mkv');
    expect((await create(token, { keyTemplate: '{date}/{owner}/{fileName}' })).key).toBe('team-a/2026-11-23/team-a/film.mkv');
  });

  it('of a server that is limited to a prefix lies below it, and below that of the token', async () => {
    const limited = new ControlPlaneBench({ keyPrefix: 'films/' });
    onTestFinished(() => limited.sessions.close());
    const token = await limited.issueToken({ limits: { ...NO_LIMITS, keyPrefix: 'films/team-a/' } });
    const body = SMALL_FILE_REQUEST;

    expect(await limited.create()).toMatchObject({ key: 'films/film.mkv' });
    expect(await limited.ask('POST', '/api/uploads', { token, body })).toMatchObject({ key: 'films/team-a/film.mkv' });
    for (const key of ['film.mkv', 'films', 'filmsx/a']) {
      const problem = await limited.askForProblem('POST', '/api/uploads', { body: { ...body, key } });
      expect(problem).toMatchObject({
        code: 'KEY_NOT_ALLOWED',
        keyPrefix: 'films/',
        detail: expect.stringContaining('This server'),
      });
    }
  });

  it('that is made from a template holds the id of its session', async () => {
    const { sessionId, key } = await bench.create({ keyTemplate: '{date}/{sessionId}/{fileName}' });
    expect(key).toBe(`2026-11-23/${sessionId}/film.mkv`);
  });

  it.each(['{date}/{fileName}', '{sessionId}/{fileName}'])(
    'that is made of %s is found by the same file another day, running and completed',
    async (keyTemplate) => {
      const request = { keyTemplate, fingerprint: 'print' };
      const first = await bench.create(request);
      bench.clock.advance(2 * DAY_MS);
      const again = await bench.create(request);
      expect(again).toMatchObject({ sessionId: first.sessionId, key: first.key });

      await bench.putParts(first.sessionId, SMALL_FILE);
      await bench.ask('POST', `/api/uploads/${first.sessionId}/complete`);
      bench.clock.advance(2 * DAY_MS);
      expect(await bench.create(request)).toMatchObject({ sessionId: first.sessionId, status: 'completed' });
    },
  );

  it('that looks like a template is not taken for one', async () => {
    const literal = await bench.create({ key: '{date}', fingerprint: 'print' });
    const templated = await bench.create({ keyTemplate: '{date}', fingerprint: 'print' });

    expect(literal.key).toBe('{date}');
    expect(templated).toMatchObject({ key: '2026-11-23' });
    expect(templated.sessionId).not.toBe(literal.sessionId);
  });

  it('with an unknown placeholder is refused', async () => {
    expect(await refusedCreate(await limitedToken({}), { keyTemplate: '{host}' })).toMatchObject({
      code: 'INVALID_KEY',
      hint: expect.stringContaining('{fileName}'),
    });
  });

  it('that leaves the prefix by way of the file name is refused', async () => {
    const token = await limitedToken({ keyPrefix: 'team-a/' });
    expect(await refusedCreate(token, { fileName: '../team-b/film.mkv' })).toMatchObject({ code: 'INVALID_KEY' });
    expect(await refusedCreate(token, { key: 'team-a/../team-b/x' })).toMatchObject({ code: 'INVALID_KEY' });
    expect(await refusedCreate(token, { key: 'team-b/x' })).toMatchObject({ code: 'KEY_NOT_ALLOWED', keyPrefix: 'team-a/' });
  });

  it.each([
    ['an object above it', 'shoots', 'shoots/a.mov'],
    ['an object below it', 'shoots/day-1/a.mov', 'shoots'],
  ])('beside %s is refused before anything is created', async (_, taken, key) => {
    await bench.createCompleted({ key: taken });
    const calls = bench.objects.calls.length;

    expect(
      await bench.askForProblem('POST', '/api/uploads', { body: { ...SMALL_FILE_REQUEST, key, overwrite: true } }),
    ).toMatchObject({
      code: 'KEY_CONFLICT',
      conflictingKey: taken,
    });
    expect(bench.objects.calls.slice(calls).map(({ method }) => method)).not.toContain('createMultipartUpload');
  });

  it('is refused, too, if an upload above it completes during the check', async () => {
    let completeOther: (() => Promise<unknown>) | undefined;
    bench = new ControlPlaneBench({
      aroundObjects: async (method, call) => {
        const answer = await call();
        if (method === 'findKeyConflict') await completeOther?.();
        return answer;
      },
    });
    const other = await bench.create({ key: 'shoots' });
    await bench.putParts(other.sessionId, SMALL_FILE);
    completeOther = () => bench.ask('POST', `/api/uploads/${other.sessionId}/complete`);

    expect(
      await bench.askForProblem('POST', '/api/uploads', { body: { ...SMALL_FILE_REQUEST, key: 'shoots/a.mov' } }),
    ).toMatchObject({ code: 'KEY_CONFLICT' });
  });

  it('below the key of an unfinished upload is refused, and the key of another owner is not named', async () => {
    await bench.create({ key: 'team-a' });
    const problem = await refusedCreate(await limitedToken({ keyPrefix: 'team-a/' }), { key: 'team-a/x' });

    expect(problem).toMatchObject({ code: 'KEY_CONFLICT' });
    expect(problem).not.toHaveProperty('conflictingKey');
  });
});

describe('a new token of a name', () => {
  it('cannot continue a session that it could not have begun', async () => {
    const file = { key: 'a', fingerprint: 'print' };
    const anything = await limitedToken({});
    const first = await create(anything, { ...file, contentType: 'application/pdf' });
    const films = await limitedToken({ contentTypes: ['video/*'] });
    const headers = { 'idempotency-key': 'key-1' };
    const repeat = { body: { ...SMALL_FILE_REQUEST, ...file, contentType: 'application/pdf' }, headers };
    await bench.ask('POST', '/api/uploads', { ...repeat, token: anything });

    expect(await refusedCreate(films, { ...file, contentType: 'video/mp4' })).toMatchObject({ code: 'CONTENT_TYPE_NOT_ALLOWED' });
    expect(await bench.session(first.sessionId)).toMatchObject({ contentType: 'application/pdf', status: 'open' });
  });
});

describe('a path', () => {
  it.each([
    ['a capability of nobody', (token: string) => `/c/${token}/api/uploads/x`],
    ['a capability and nothing else', (token: string) => `/c/${token}`],
    ['a capability before a line break', (token: string) => `/c/${token}/api%0a/x`],
    ['two capabilities', (token: string) => `/c/x/c/${token}/api/uploads/x`],
    ['two slashes', (token: string) => `//c/${token}/api/uploads/x`],
    ['a token for an id', (token: string) => `/api/uploads/${token}`],
    ['a token for a route', (token: string) => `/${token}`],
  ])('with %s shows it neither in the log, nor the audit log, nor the answer', async (_, pathWith) => {
    for (const token of [newToken('pw_'), newToken('pwc_')]) {
      const response = await bench.send('GET', pathWith(token));
      const answer = await response.text();
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(`${answer} ${JSON.stringify([bench.logged, bench.audited])}`).not.toContain(token);
    }
  });
});

describe('a capability', () => {
  async function grant(sessionId: string, token?: string, body: unknown = {}): Promise<wire.Capability> {
    return bench.ask('POST', `/api/uploads/${sessionId}/capabilities`, { body, ...(token === undefined ? {} : { token }) });
  }

  it('does a whole upload from the path, without any header', async () => {
    const { sessionId } = await bench.create();
    const { basePath, token } = await grant(sessionId);
    const ask = <T>(method: string, path: string, body?: unknown) =>
      bench.ask<T>(method, `${basePath}/api/uploads/${sessionId}${path}`, {
        token: null,
        ...(body === undefined ? {} : { body }),
      });

    expect(token).toMatch(/^pwc_[\w-]{32}$/);
    await ask('POST', '/parts/presign', { partNumbers: [1, 2, 3] });
    await bench.putParts(sessionId, SMALL_FILE);
    await ask('POST', '/report', { clientId: 'browser' });
    expect((await ask<wire.PartsResponse>('GET', '/parts')).missing).toEqual([]);
    expect(await ask('POST', '/complete')).toMatchObject({ status: 'completed' });
    expect(await bench.ask('GET', `${basePath}/api/upload/${sessionId}/progress`, { token: null })).toMatchObject({
      storedBytes: SIZE,
    });
  });

  it('is neither in the log nor in the audit log', async () => {
    const { sessionId } = await bench.create();
    const { basePath, token, capabilityId } = await grant(sessionId);
    await bench.ask('DELETE', `${basePath}/api/uploads/${sessionId}`, { token: null });

    expect(JSON.stringify([bench.logged, bench.audited])).not.toContain(token);
    expect(bench.audited.at(-1)).toMatchObject({ event: 'aborted', token: 'admin', tokenId: capabilityId, sessionId });
  });

  it('lives as long as requested, a week by default, and never longer than its grantor', async () => {
    const { sessionId } = await bench.create();
    const at = (ms: number) => new Date(bench.clock.now() + ms).toISOString();

    expect((await grant(sessionId, undefined, { expiresInSeconds: 60 })).expiresAt).toBe(at(60_000));
    expect((await grant(sessionId)).expiresAt).toBe(at(7 * DAY_MS));
    const short = await bench.issueToken({ name: 'admin', scopes: ['admin'], expiresAt: bench.clock.now() + 5_000 });
    expect((await grant(sessionId, short)).expiresAt).toBe(at(5_000));
  });

  it.each([59, 30 * 86_400 + 1, 1.5, -1])('cannot be asked to live for %s seconds', async (expiresInSeconds) => {
    const { sessionId } = await bench.create();
    const path = `/api/uploads/${sessionId}/capabilities`;
    expect(await bench.askForProblem('POST', path, { body: { expiresInSeconds } })).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('is not made for a session that has ended', async () => {
    const { sessionId } = await bench.createCompleted();
    const path = `/api/uploads/${sessionId}/capabilities`;
    expect(await bench.askForProblem('POST', path, { body: {} })).toMatchObject({ code: 'SESSION_NOT_OPEN' });
  });

  it('is refused where its grantor has the most that it may have', async () => {
    let most: unknown;
    const full = new ControlPlaneBench({
      aroundSessions: (method, call, args) => {
        if (method !== 'insertCapability') return call();
        most = args[1];
        return Promise.resolve(false);
      },
    });
    const { sessionId } = await full.create();
    const path = `/api/uploads/${sessionId}/capabilities`;
    expect(await full.askForProblem('POST', path, { body: {} })).toMatchObject({
      status: 403,
      code: 'TOO_MANY_CAPABILITIES',
      maxCapabilities: 200_000,
    });
    expect(most).toBe(200_000);
    expect(full.audited.at(-1)).toMatchObject({ event: 'refused', code: 'TOO_MANY_CAPABILITIES' });
  });

  it('ends with the token of the environment that granted it', async () => {
    const { sessionId } = await bench.create();
    const { token } = await grant(sessionId);
    const other = new ControlPlaneBench({ adminToken: 'another-token-of-the-tests', sessions: bench.sessions });

    expect(await other.askForProblem('GET', `/api/uploads/${sessionId}`, { token })).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await bench.ask('GET', `/api/uploads/${sessionId}`, { token })).toMatchObject({ sessionId });
  });

  it('is deleted after it has expired', async () => {
    const { sessionId } = await bench.create();
    await grant(sessionId, undefined, { expiresInSeconds: 60 });
    bench.clock.advance(60_001);

    await sweep(bench.deps);

    expect(await bench.sessions.deleteExpiredCapabilities(Number.MAX_SAFE_INTEGER)).toBe(0);
  });
});

describe('the audit log', () => {
  it('says which token created and completed which object, from which address, by which request', async () => {
    const token = await bench.issueToken({ name: 'camera-1', tokenId: 'tok_camera' });
    const { sessionId } = await create(token, { key: 'a' });
    await bench.putParts(sessionId, SMALL_FILE);
    const response = await bench.send('POST', `/api/uploads/${sessionId}/complete`, {
      token,
      headers: { 'x-request-id': 'request-7' },
    });
    expect(response.status).toBe(200);
    await bench.ask('POST', `/api/uploads/${sessionId}/complete`, { token });

    const who = {
      token: 'camera-1',
      tokenId: 'tok_camera',
      address: '192.0.2.7',
      sessionId,
      bucket: bench.objects.bucket,
      key: 'a',
      size: SIZE,
    };
    expect(bench.audited).toMatchObject([
      { event: 'created', ...who },
      { event: 'completed', ...who, requestId: 'request-7' },
    ]);
  });

  it('records one completion, even if two servers finish the session at once', async () => {
    const { sessionId } = await bench.create();
    await bench.putParts(sessionId, SMALL_FILE);
    // The answer gets lost, so both find a session that is completing, and its object.
    bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    await bench.askForProblem('POST', `/api/uploads/${sessionId}/complete`);
    const servers = [1, 2].map(() => createService(bench.deps, bench.audit));

    const answers = await Promise.all(servers.map((server) => server.complete(ADMIN_CALLER, sessionId, {})));

    expect(answers.map(({ status }) => status)).toEqual(['completed', 'completed']);
    expect(bench.audited.filter(({ event }) => event === 'completed')).toHaveLength(1);
  });

  it('records a refusal with the requested key and size, and the code', async () => {
    const token = await bench.issueToken({ name: 'camera-1', limits: { ...NO_LIMITS, keyPrefix: 'camera-1/' } });
    await refusedCreate(token, { key: 'elsewhere', size: 5 });

    expect(bench.audited).toMatchObject([
      { event: 'refused', code: 'KEY_NOT_ALLOWED', token: 'camera-1', key: 'elsewhere', size: 5, operation: 'POST /api/uploads' },
    ]);
  });

  it('names a granted capability, so that actions with it lead back to the token that granted it', async () => {
    const { sessionId } = await bench.create();
    const { capabilityId } = await bench.ask<wire.Capability>('POST', `/api/uploads/${sessionId}/capabilities`, { body: {} });
    expect(JSON.stringify(bench.audited.filter(({ event }) => event === 'granted'))).toContain(capabilityId);
  });

  it('records a request for a session that the caller may not see', async () => {
    await bench.askForProblem('GET', '/api/uploads/ses_unknown/parts');
    expect(bench.audited).toMatchObject([
      { event: 'refused', code: 'SESSION_NOT_FOUND', sessionId: 'ses_unknown', token: 'admin' },
    ]);
  });
});

describe('a live stream', () => {
  it('ends when its token is revoked', async () => {
    const token = await bench.issueToken({ name: 'watcher', scopes: ['read'], tokenId: 'tok_watcher' });
    const { sessionId } = await bench.create();
    const headers = { accept: 'text/event-stream' };
    const response = await bench.send('GET', `/api/uploads/${sessionId}/progress`, { token, headers });

    await bench.sessions.revokeToken('tok_watcher', bench.clock.now());

    expect(await response.text()).toContain('event: progress');
    expect(bench.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the object at the key of a session', () => {
  it('does not show an uploader the contents that another owner put there', async () => {
    const secret = await bench.createCompleted({ key: 'shared/secret.bin' });
    const token = await limitedToken({ keyPrefix: 'shared/' });
    const { sessionId } = await create(token, { key: 'shared/secret.bin', overwrite: true });

    const answer = await (await bench.send('GET', `/api/uploads/${sessionId}/object`, { token })).text();

    expect(answer).not.toContain(JSON.stringify(secret.checksum));
    expect(answer).not.toContain(JSON.stringify(secret.etag));
  });
});
