import { onTestFinished } from 'vitest';
import { PROBLEM_MEDIA_TYPE } from '../../../src/contract/problems.ts';
import type * as wire from '../../../src/contract/wire.ts';
import type { ObjectStore } from '../../../src/object-store/port.ts';
import { createAuthenticate, hashToken, newToken, TOKEN_PREFIX } from '../../../src/server/access/auth.ts';
import type { Caller } from '../../../src/server/access/caller.ts';
import { type AppDeps, createApp } from '../../../src/server/app.ts';
import { type Audit, type AuditEvent, auditAsServer, noAudit } from '../../../src/server/audit/event.ts';
import type { Policy, ServiceDeps } from '../../../src/server/core/deps.ts';
import { createMetrics, type Metrics } from '../../../src/server/metrics/metrics.ts';
import { createService, type UploadService } from '../../../src/server/service.ts';
import { NO_LIMITS } from '../../../src/session/access.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import type { StoredPart, UploadSession } from '../../../src/session/session.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import type { Token } from '../../../src/session-store/port/tokens.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { openEmptyStore } from '../database/empty-store.ts';
import { aToken, aUniqueName, NOON } from '../database/sessions.ts';
import { type Around, interpose } from '../interpose.ts';
import { FakeObjectStore } from '../store/fake-object-store.ts';

export const ADMIN_TOKEN = 'the-token-of-the-tests';
/** The address of every client of the bench. */
export const ADDRESS = '192.0.2.7';
export const POLICY: Policy = {
  sessionTtlMs: 7 * 86_400_000,
  staleUploadsExpiryMs: 86_400_000,
  urlTtlSeconds: 3_600,
  keyTemplate: '{fileName}',
  allowForgery: false,
};

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

/** A clock that moves only when the test moves it. */
export class TestClock {
  at = NOON;
  readonly now = (): number => this.at;
  advance(ms: number): void {
    this.at += ms;
  }
}

export interface BenchOptions {
  /** The object store; a new, empty one by default. */
  readonly objects?: FakeObjectStore;
  /** The server's key prefix, with which every key begins. */
  readonly keyPrefix?: string;
  /** The session store; a new, empty one by default. */
  readonly sessions?: SessionStore;
  readonly policy?: Partial<Policy>;
  /** Whether the metrics are those of a server with a webhook. */
  readonly hasWebhook?: boolean;
  /** Intercept every call of the service to its stores. */
  readonly aroundSessions?: Around;
  readonly aroundObjects?: Around;
}

/** Everything that the server's service needs, on stores in memory and a clock that the test controls. */
export class ServiceBench {
  readonly clock = new TestClock();
  readonly sessions: SessionStore;
  /** Accepts parts of any size, so that tests need few bytes. */
  readonly objects: FakeObjectStore;
  readonly logged: LogLine[] = [];
  readonly audited: AuditEvent[] = [];
  readonly audit: Audit = { record: (event) => this.audited.push(event) };
  readonly metrics: Metrics;
  readonly deps: ServiceDeps;

  constructor({
    objects,
    keyPrefix = '',
    policy,
    sessions = openEmptyStore(),
    aroundSessions,
    aroundObjects,
    hasWebhook = false,
  }: BenchOptions = {}) {
    this.sessions = sessions;
    this.objects = objects ?? new FakeObjectStore({ now: this.clock.now, minPartSize: 1, keyPrefix });
    const logAt = (level: LogLine['level']) => (fields: object, message: string) => {
      this.logged.push({ level, fields, message });
    };
    const log = { info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
    const seen = aroundSessions ? interpose(this.sessions, aroundSessions) : this.sessions;
    this.metrics = createMetrics({ sessions: seen, hasWebhook, now: this.clock.now, log, version: '1.2.3' });
    this.deps = {
      sessions: seen,
      objects: this.metrics.measureStore(aroundObjects ? interpose<ObjectStore>(this.objects, aroundObjects) : this.objects),
      now: this.clock.now,
      newSessionId: () => aUniqueName('ses'),
      policy: { ...POLICY, ...policy },
      log,
      audit: auditAsServer(this.audit),
    };
  }

  /** Opens a session whose parts have 4 bytes, less than the wire allows, so that tests of many faults are fast. */
  async openTinySession(changes: Partial<Pick<UploadSession, 'key' | 'overwrite' | 'fingerprint'>> = {}): Promise<TinyUpload> {
    const sessionId = aUniqueName('ses');
    await this.sessions.insert({
      sessionId,
      owner: 'admin',
      bucket: this.objects.bucket,
      key: 'tiny.bin',
      fileName: 'tiny.bin',
      size: TINY_FILE.length,
      contentType: null,
      contentDisposition: null,
      tags: {},
      metadata: {},
      overwrite: false,
      fingerprint: null,
      plan: { strategy: 'chunked', partSize: 4, partCount: 3 },
      createdAt: this.clock.now(),
      ...changes,
      keyRequest: changes.key ?? 'tiny.bin',
    });
    const upload = await this.objects.createMultipartUpload({
      key: changes.key ?? 'tiny.bin',
      contentType: null,
      contentDisposition: null,
      metadata: { 'partway-session': sessionId },
      tags: {},
    });
    await this.sessions.openUpload({ sessionId, status: 'creating', generation: 1 }, upload, this.clock.now());
    return { sessionId, uploadId: upload.uploadId };
  }

  async session(sessionId: string): Promise<UploadSession> {
    const session = await this.sessions.get(sessionId);
    if (session === undefined) throw new Error(`no session ${sessionId}`);
    return session;
  }

  /** Puts parts of `file` into the session's current upload, as a client does with URLs: the given parts, or all of them. */
  async putParts(sessionId: string, file: Uint8Array, partNumbers?: readonly number[]): Promise<StoredPart[]> {
    const { key, plan, uploadId } = await this.session(sessionId);
    if (uploadId === null) throw new Error(`session ${sessionId} has no multipart upload`);
    const wanted = partNumbers ?? Array.from({ length: plan.partCount }, (_, index) => index + 1);
    return wanted.map((partNumber) => {
      const start = (partNumber - 1) * plan.partSize;
      return this.objects.putPart(key, uploadId, partNumber, file.subarray(start, start + plan.partSize));
    });
  }
}

export interface TinyUpload {
  readonly sessionId: string;
  readonly uploadId: string;
}

/** Three parts of 4, 4 and 2 bytes. */
export const TINY_FILE = Buffer.from('0123456789');

/** A small file that takes three parts through the wire: two of S3's minimum size and one of three bytes. */
export const SMALL_FILE = Buffer.concat([Buffer.alloc(5 * MiB, 1), Buffer.alloc(5 * MiB, 2), Buffer.from('end')]);
export const SMALL_FILE_CHECKSUM = checksumOf(SMALL_FILE);
export const SMALL_FILE_REQUEST = {
  fileName: 'film.mkv',
  size: SMALL_FILE.length,
  strategy: 'chunked',
  partSize: 5 * MiB,
} as const satisfies wire.CreateRequest;

export const ADMIN_CALLER: Caller = {
  grant: {
    owner: 'admin',
    tokenId: 'tok_admin',
    limitKey: 'tok_admin',
    scopes: ['admin'],
    limits: NO_LIMITS,
    sessionId: null,
    expiresAt: null,
  },
  address: ADDRESS,
  requestId: 'request-1',
};

type WithoutCaller<Method> = Method extends (caller: Caller, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : Method;
export type AdminService = { readonly [Name in keyof UploadService]: WithoutCaller<UploadService[Name]> };

/** Creates the service with every call made by an admin. */
export function adminService(deps: ServiceDeps): AdminService {
  const service = createService(deps, noAudit);
  const methods = Object.entries(service) as [string, (...args: unknown[]) => unknown][];
  const withCaller = methods.map(([name, method]) => [name, (...rest: unknown[]) => method(ADMIN_CALLER, ...rest)]);
  return { ...Object.fromEntries(withCaller), readiness: service.readiness } as AdminService;
}

export interface ApiRequest {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** The token to send, the admin's by default, or null for none. */
  readonly token?: string | null;
}

/** The control plane as clients use it, with requests and responses but without a socket. */
export class ControlPlaneBench extends ServiceBench {
  readonly shutdown = new AbortController();
  readonly app: ReturnType<typeof createApp>;

  constructor(
    options: BenchOptions & Pick<AppDeps, 'stopping' | 'keepAliveMs' | 'hearClock'> & { readonly adminToken?: string } = {},
  ) {
    super(options);
    onTestFinished(() => this.shutdown.abort());
    this.app = createApp({
      service: createService(this.deps, this.metrics.sessions.countEvents(this.audit), this.metrics.sessions),
      authenticate: createAuthenticate(this.sessions, options.adminToken ?? ADMIN_TOKEN, this.clock.now),
      audit: this.audit,
      addressOf: () => ADDRESS,
      log: this.deps.log,
      metrics: this.metrics,
      version: '1.2.3',
      shutdown: this.shutdown.signal,
      ...(options.stopping && { stopping: options.stopping }),
      ...(options.hearClock && { hearClock: options.hearClock }),
      ...(options.keepAliveMs === undefined ? {} : { keepAliveMs: options.keepAliveMs }),
    });
  }

  async send(method: string, path: string, { body, headers = {}, token = ADMIN_TOKEN }: ApiRequest = {}): Promise<Response> {
    return this.app.request(path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  /** @throws Error unless the answer has a 2xx status. */
  async ask<Answer>(method: string, path: string, request: ApiRequest = {}): Promise<Answer> {
    const response = await this.send(method, path, request);
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  /** @throws Error unless the answer is a problem document. */
  async askForProblem(method: string, path: string, request: ApiRequest = {}): Promise<wire.ProblemDocument> {
    const response = await this.send(method, path, request);
    return readProblem(response);
  }

  /** Records a token with these properties, and returns its text, which a client sends. */
  async issueToken(changes: Partial<Token> = {}): Promise<string> {
    const token = newToken(TOKEN_PREFIX);
    await this.sessions.insertToken(aToken({ ...changes, hash: hashToken(token) }));
    return token;
  }

  create(changes: Partial<wire.CreateRequest> = {}, headers: Record<string, string> = {}): Promise<wire.Session> {
    return this.ask('POST', '/api/uploads', { body: { ...SMALL_FILE_REQUEST, ...changes }, headers });
  }

  /** Creates a session, sends its parts and completes it. */
  async createCompleted(changes: Partial<wire.CreateRequest> = {}): Promise<wire.Session> {
    const { sessionId } = await this.create(changes);
    await this.putParts(sessionId, SMALL_FILE);
    return this.ask('POST', `/api/uploads/${sessionId}/complete`);
  }
}

export async function readProblem(response: Response): Promise<wire.ProblemDocument> {
  const mediaType = response.headers.get('content-type');
  if (response.ok || mediaType !== PROBLEM_MEDIA_TYPE) {
    throw new Error(`not a problem document: ${response.status} ${mediaType} ${await response.text()}`);
  }
  return (await response.json()) as wire.ProblemDocument;
}
