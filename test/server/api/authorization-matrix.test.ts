import { describe, expect, it, onTestFinished } from 'vitest';
import * as contract from '../../../src/contract/routes.ts';
import type * as wire from '../../../src/contract/wire.ts';
import { hashToken, newToken, TOKEN_PREFIX } from '../../../src/server/access/auth.ts';
import { type Limits, NO_LIMITS, type Scope } from '../../../src/session/access.ts';
import type { ErrorCode } from '../../../src/session/errors.ts';
import type { Token } from '../../../src/session-store/port/tokens.ts';
import { ControlPlaneBench, readProblem } from '../../support/server/control-plane.ts';

/** All operations that need a token. The contract decides which these are: a new one without a row fails here. */
const routes = Object.fromEntries(
  Object.entries(contract).filter(([, route]) => 'x-partway-access' in route),
) as unknown as Record<OperationId, { method: string; path: string; 'x-partway-access': contract.Access }>;
type OperationId = {
  [Name in keyof typeof contract]: (typeof contract)[Name] extends { 'x-partway-access': contract.Access } ? Name : never;
}[keyof typeof contract];

const CALLERS = [
  'nobody',
  'an unknown token',
  'a revoked token',
  'an expired token',
  'another owner',
  'the owner without a scope',
  'the owner, limited to another prefix',
  'the owner, limited to another bucket',
  'the owner over its quota',
  'the owner with as many sessions as allowed',
  'the owner, allowed other content types',
  'the owner, allowed smaller files',
  'who may read',
  'who may read another prefix',
  'an admin',
  'an admin of another prefix',
  'the owner',
  'the owner with a new token',
  'the capability',
  'the capability in the path',
  'a capability of another session',
  'an expired capability',
  'a capability of a revoked token',
  'a forged capability',
  'the owner with its token in the path',
] as const;
type CallerName = (typeof CALLERS)[number];
type Expected = 'allowed' | ErrorCode;

const STRANGERS = {
  nobody: 'UNAUTHORIZED',
  'an unknown token': 'UNAUTHORIZED',
  'a revoked token': 'UNAUTHORIZED',
  'an expired token': 'UNAUTHORIZED',
  'an expired capability': 'UNAUTHORIZED',
  'a capability of a revoked token': 'UNAUTHORIZED',
  'a forged capability': 'UNAUTHORIZED',
  'the owner with its token in the path': 'UNAUTHORIZED',
} as const satisfies Partial<Record<CallerName, Expected>>;

const SEE = {
  ...STRANGERS,
  'another owner': 'SESSION_NOT_FOUND',
  'the owner without a scope': 'SESSION_NOT_FOUND',
  'the owner, limited to another prefix': 'SESSION_NOT_FOUND',
  'the owner, limited to another bucket': 'SESSION_NOT_FOUND',
  'the owner over its quota': 'allowed',
  'the owner with as many sessions as allowed': 'allowed',
  'the owner, allowed other content types': 'allowed',
  'the owner, allowed smaller files': 'allowed',
  'who may read': 'allowed',
  'who may read another prefix': 'SESSION_NOT_FOUND',
  'an admin': 'allowed',
  'an admin of another prefix': 'SESSION_NOT_FOUND',
  'the owner': 'allowed',
  'the owner with a new token': 'allowed',
  'the capability': 'allowed',
  'the capability in the path': 'allowed',
  'a capability of another session': 'SESSION_NOT_FOUND',
} as const satisfies Record<CallerName, Expected>;

const CHANGE = { ...SEE, 'who may read': 'FORBIDDEN' } as const satisfies Record<CallerName, Expected>;

const GRANT = {
  ...CHANGE,
  'the capability': 'FORBIDDEN',
  'the capability in the path': 'FORBIDDEN',
} as const satisfies Record<CallerName, Expected>;

const USE = {
  ...SEE,
  'another owner': 'allowed',
  'the owner without a scope': 'FORBIDDEN',
  'the owner, limited to another prefix': 'allowed',
  'the owner, limited to another bucket': 'allowed',
  'who may read another prefix': 'allowed',
  'an admin of another prefix': 'allowed',
  'the capability': 'FORBIDDEN',
  'the capability in the path': 'FORBIDDEN',
  'a capability of another session': 'FORBIDDEN',
} as const satisfies Record<CallerName, Expected>;

const OVERSEE = {
  ...USE,
  'another owner': 'FORBIDDEN',
  'the owner, limited to another prefix': 'FORBIDDEN',
  'the owner, limited to another bucket': 'FORBIDDEN',
  'the owner over its quota': 'FORBIDDEN',
  'the owner with as many sessions as allowed': 'FORBIDDEN',
  'the owner, allowed other content types': 'FORBIDDEN',
  'the owner, allowed smaller files': 'FORBIDDEN',
  'who may read another prefix': 'FORBIDDEN',
  'an admin of another prefix': 'FORBIDDEN',
  'the owner': 'FORBIDDEN',
  'the owner with a new token': 'FORBIDDEN',
} as const satisfies Record<CallerName, Expected>;

const CREATE = {
  ...USE,
  'the owner, limited to another prefix': 'KEY_NOT_ALLOWED',
  'the owner, limited to another bucket': 'KEY_NOT_ALLOWED',
  'the owner over its quota': 'QUOTA_EXCEEDED',
  'the owner with as many sessions as allowed': 'TOO_MANY_SESSIONS',
  'the owner, allowed other content types': 'CONTENT_TYPE_NOT_ALLOWED',
  'the owner, allowed smaller files': 'OBJECT_TOO_LARGE',
  'who may read': 'FORBIDDEN',
  'who may read another prefix': 'FORBIDDEN',
  'an admin of another prefix': 'KEY_NOT_ALLOWED',
} as const satisfies Record<CallerName, Expected>;

const MATRIX: Record<OperationId, Record<CallerName, Expected>> = {
  createUpload: CREATE,
  listUploads: USE,
  getStore: USE,
  getMetrics: OVERSEE,
  getUpload: SEE,
  getProgress: SEE,
  getProgressByUploadId: SEE,
  getObject: SEE,
  abortUpload: CHANGE,
  presignParts: CHANGE,
  listParts: CHANGE,
  replanUpload: CHANGE,
  reportProgress: CHANGE,
  completeUpload: CHANGE,
  grantCapability: GRANT,
};

const ROW_OF_ACCESS: Record<contract.Access, Record<CallerName, Expected>> = {
  create: CREATE,
  use: USE,
  oversee: OVERSEE,
  see: SEE,
  change: CHANGE,
  grant: GRANT,
};

/** A file of one part: there is a bench for each cell, and bytes cost the most of it. */
const FILE = Buffer.from('a file of one part');
const REQUEST = { fileName: 'film.mkv', size: FILE.length, strategy: 'single' } as const satisfies wire.CreateRequest;

const BODIES: Partial<Record<OperationId, unknown>> = {
  createUpload: { ...REQUEST, key: 'team-a/new.mkv', contentType: 'video/x-matroska' },
  presignParts: { partNumbers: [1] },
  // The plan that it has: with parts stored, it takes no other.
  replanUpload: { strategy: REQUEST.strategy },
  reportProgress: { clientId: 'client-1' },
  completeUpload: {},
  grantCapability: {},
};

const limited = (limits: Partial<Limits>): Limits => ({ ...NO_LIMITS, ...limits });

/** A control plane with a session of `owner`, all of its parts stored, and all kinds of callers. */
class Stage {
  readonly bench = new ControlPlaneBench();
  sessionId = '';
  #ownerToken = '';
  #otherSessionId = '';

  async setUp(): Promise<void> {
    onTestFinished(() => this.bench.sessions.close());
    this.#ownerToken = await this.#token({ name: 'owner' });
    const create = (key: string) =>
      this.bench.ask<wire.Session>('POST', '/api/uploads', { body: { ...REQUEST, key }, token: this.#ownerToken });
    this.sessionId = (await create('team-a/film.mkv')).sessionId;
    this.#otherSessionId = (await create('team-a/other.mkv')).sessionId;
    await this.bench.putParts(this.sessionId, FILE);
  }

  #token(changes: Partial<Token> = {}): Promise<string> {
    return this.bench.issueToken(changes);
  }

  #owner(limits: Partial<Limits>, scopes: readonly Scope[] = ['upload']): Promise<string> {
    return this.#token({ name: 'owner', scopes, limits: limited(limits) });
  }

  async #capability(sessionId: string, token = this.#ownerToken, expiresInSeconds = 3_600): Promise<string> {
    const path = `/api/uploads/${sessionId}/capabilities`;
    return (await this.bench.ask<wire.Capability>('POST', path, { token, body: { expiresInSeconds } })).token;
  }

  /** Makes the caller's credentials: a token for the header, or a capability for the path. */
  async credentialsOf(caller: CallerName): Promise<{ token: string | null; inPath?: string }> {
    const { bench } = this;
    const elsewhere = limited({ keyPrefix: 'team-b/' });
    switch (caller) {
      case 'nobody':
        return { token: null };
      case 'an unknown token':
        return { token: newToken(TOKEN_PREFIX) };
      case 'a revoked token':
        return { token: await this.#token({ name: 'owner', revokedAt: bench.clock.now() }) };
      case 'an expired token':
        return { token: await this.#token({ name: 'owner', expiresAt: bench.clock.now() }) };
      case 'another owner':
        return { token: await this.#token({ name: 'other' }) };
      case 'the owner without a scope':
        return { token: await this.#owner({}, []) };
      case 'the owner, limited to another prefix':
        return { token: await this.#token({ name: 'owner', limits: elsewhere }) };
      case 'the owner, limited to another bucket':
        return { token: await this.#owner({ bucket: 'another-bucket' }) };
      case 'the owner over its quota':
        return { token: await this.#owner({ quotaBytes: FILE.length * 3 - 1 }) };
      case 'the owner with as many sessions as allowed':
        return { token: await this.#owner({ maxOpenSessions: 2 }) };
      case 'the owner, allowed other content types':
        return { token: await this.#owner({ contentTypes: ['video/mp4', 'image/*'] }) };
      case 'the owner, allowed smaller files':
        return { token: await this.#owner({ maxObjectSize: FILE.length - 1 }) };
      case 'who may read':
        return { token: await this.#token({ name: 'reader', scopes: ['read'] }) };
      case 'who may read another prefix':
        return { token: await this.#token({ name: 'reader', scopes: ['read'], limits: elsewhere }) };
      case 'an admin':
        return { token: await this.#token({ name: 'boss', scopes: ['admin'] }) };
      case 'an admin of another prefix':
        return { token: await this.#token({ name: 'boss', scopes: ['admin'], limits: elsewhere }) };
      case 'the owner':
        return { token: this.#ownerToken };
      case 'the owner with a new token':
        return { token: await this.#owner({ keyPrefix: 'team-a/', quotaBytes: FILE.length * 3, maxOpenSessions: 3 }) };
      case 'the capability':
        return { token: await this.#capability(this.sessionId) };
      case 'the capability in the path':
        return { token: null, inPath: await this.#capability(this.sessionId) };
      case 'a capability of another session':
        return { token: await this.#capability(this.#otherSessionId) };
      case 'an expired capability': {
        const token = await this.#capability(this.sessionId, this.#ownerToken, 60);
        bench.clock.advance(60_000);
        return { token };
      }
      case 'a capability of a revoked token': {
        const grantor = await this.#owner({});
        const token = await this.#capability(this.sessionId, grantor);
        const stored = await bench.sessions.findTokenByHash(hashToken(grantor));
        await bench.sessions.revokeToken(String(stored?.tokenId), bench.clock.now());
        return { token };
      }
      case 'a forged capability':
        return { token: newToken('pwc_') };
      case 'the owner with its token in the path':
        return { token: null, inPath: this.#ownerToken };
    }
  }

  ask(operation: OperationId, { token, inPath }: { token: string | null; inPath?: string }): Promise<Response> {
    const { method, path } = routes[operation];
    const filled = path.replace(/\{\w+\}/, this.sessionId);
    const body = BODIES[operation];
    return this.bench.send(method.toUpperCase(), inPath === undefined ? filled : `/c/${inPath}${filled}`, {
      token,
      ...(body === undefined ? {} : { body }),
    });
  }

  /** Everything that a refused request must leave as it was. */
  async state(): Promise<unknown> {
    const { sessions } = await this.bench.sessions.list({ limit: 100 });
    return { sessions, storeCalls: this.bench.objects.calls.length, usage: await this.bench.sessions.usageOf('owner') };
  }
}

describe('the authorization matrix', () => {
  it('has a row for every operation of the contract that needs a token, and it is that of its access', () => {
    expect(Object.keys(MATRIX).sort()).toEqual(Object.keys(routes).sort());
    for (const [operation, { 'x-partway-access': access }] of Object.entries(routes)) {
      expect(MATRIX[operation as OperationId], operation).toBe(ROW_OF_ACCESS[access]);
    }
  });

  it('leaves out only operations that need no token', () => {
    const open = Object.entries(contract).filter(([name]) => !(name in routes));
    expect(open.map(([name]) => name).sort()).toEqual(['healthz', 'readyz']);
  });

  const cells = Object.entries(MATRIX).flatMap(([operation, row]) =>
    Object.entries(row).map(([caller, expected]) => [operation, caller, expected] as [OperationId, CallerName, Expected]),
  );
  it.each(cells)('%s by %s: %s', async (operation, caller, expected) => {
    const stage = new Stage();
    await stage.setUp();
    const credentials = await stage.credentialsOf(caller);
    const before = await stage.state();

    const response = await stage.ask(operation, credentials);

    if (expected === 'allowed') {
      // Before the upload completes there is no object, and callers with access are told so.
      if (operation === 'getObject') expect((await readProblem(response)).code).toBe('OBJECT_NOT_FOUND');
      else expect(response.status, await response.clone().text()).toBeLessThan(300);
      return;
    }
    expect((await readProblem(response)).code).toBe(expected);
    const after = await stage.state();
    // Whether an object exists is looked up before the limits on what is recorded are judged.
    if (expected === 'QUOTA_EXCEEDED' || expected === 'TOO_MANY_SESSIONS') {
      expect(after).toMatchObject({ ...(before as object), storeCalls: expect.any(Number) });
      expect(stage.bench.objects.calls.filter(({ method }) => method === 'createMultipartUpload')).toHaveLength(2);
    } else expect(after).toEqual(before);
    expect(stage.bench.audited.at(-1)).toMatchObject({ event: 'refused', code: expected, address: '192.0.2.7' });
  });
});

describe('a list', () => {
  async function keysFor(caller: CallerName): Promise<string[]> {
    const stage = new Stage();
    await stage.setUp();
    const { bench } = stage;
    await bench.create({ key: 'team-b/admins.mkv' });
    const response = await stage.ask('listUploads', await stage.credentialsOf(caller));
    return ((await response.json()) as wire.SessionList).uploads.map(({ key }) => key).sort();
  }

  it.each<[CallerName, string[]]>([
    ['the owner', ['team-a/film.mkv', 'team-a/other.mkv']],
    ['the owner, limited to another prefix', []],
    ['the owner, limited to another bucket', []],
    ['another owner', []],
    ['who may read', ['team-a/film.mkv', 'team-a/other.mkv', 'team-b/admins.mkv']],
    ['who may read another prefix', ['team-b/admins.mkv']],
    ['an admin', ['team-a/film.mkv', 'team-a/other.mkv', 'team-b/admins.mkv']],
    ['an admin of another prefix', ['team-b/admins.mkv']],
  ])('shows %s just %j', async (caller, keys) => {
    expect(await keysFor(caller)).toEqual(keys);
  });
});
