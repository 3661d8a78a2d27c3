import { PATHS, type PathTemplate, pathOf } from '../../contract/paths.ts';
import type * as wire from '../../contract/wire.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { partList, presignedParts } from './answers/parts.ts';
import type { Read } from './answers/read.ts';
import { about, progress, session, sessionPage } from './answers/session.ts';
import { capability, readiness, storedObject, storeReport } from './answers/store.ts';
import { type Call, ServerConnection } from './server-connection.ts';

/** A store reads all parts' metadata to list them: 10,000 parts took it 4 to 8 s (measured). */
const LIST_TIMEOUT_MS = 120_000;
/** Assembling a large object takes the store a while. Asking again is safe, so this need not cover the worst case. */
const COMPLETE_TIMEOUT_MS = 280_000;
/** For lists of parts, part URLs and sessions: 10,000 parts have 1.5 MB, 1,000 URLs with an STS token each 3 MB. */
const LONG_ANSWER_BYTES = 16 * 1024 ** 2;

export interface ControlPlaneOptions {
  /** For example `http://127.0.0.1:7373`. */
  readonly server: string;
  readonly token: string;
  /** The way to the server, and to the store for runs with this control plane; direct by default. `agentsThrough` goes through proxies. */
  readonly makeAgent?: MakeAgent | undefined;
}

/**
 * The control plane's API, typed. Every method is one request: retrying is the caller's decision.
 * Throws UploadError with the code that the server answered, `SERVER_UNREACHABLE` when no answer of it came,
 * `PROXY_NOT_USABLE` when the way leads through a proxy that partway cannot use,
 * `CERTIFICATE_NOT_TRUSTED` when it has never answered and its certificate is refused, or `INVALID_ANSWER` when an answer came that cannot be: what is returned has the types, bounds and the session id that it should have.
 */
export class ControlPlane {
  readonly #connection: ServerConnection;

  constructor(options: ControlPlaneOptions) {
    this.#connection = new ServerConnection(options);
  }

  get server(): string {
    return this.#connection.server;
  }

  get makeAgent(): MakeAgent {
    return this.#connection.makeAgent;
  }

  /** Addresses that have answered during the life of this object: this server's, and the stores' that uploads over it went to. */
  get answered(): Set<string> {
    return this.#connection.answered;
  }

  /** Whether anything ever answered here: a certificate that is not trusted is then an outage, not a wrong set-up. */
  get hasAnswered(): boolean {
    return this.#connection.hasAnswered;
  }

  /** Whether a partway server ever answered here: a page of another program is then an outage, not a wrong URL. */
  get isPartway(): boolean {
    return this.#connection.isPartway;
  }

  /** Gives the next calls new connections: idle ones may be dead without knowing it. Those under way keep theirs. */
  renewConnections(): void {
    this.#connection.renew();
  }

  /** `created` is false where the server found the session that this file has already. */
  async create(request: wire.CreateRequest, options: { idempotencyKey?: string; signal?: AbortSignal | undefined } = {}) {
    const headers: Record<string, string> = options.idempotencyKey ? { 'idempotency-key': options.idempotencyKey } : {};
    const answer = await this.#connection.send({
      method: 'POST',
      path: PATHS.uploads,
      body: request,
      headers,
      signal: options.signal,
    });
    return { session: this.#connection.parse(answer, session), created: answer.status === 201 };
  }

  async get(sessionId: string, signal?: AbortSignal): Promise<wire.Session> {
    return this.#connection.json({ path: pathOf(PATHS.upload, sessionId), signal }, about(sessionId, session));
  }

  list(query: { status?: string; limit?: number; cursor?: string } = {}): Promise<wire.SessionList> {
    const parameters = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]));
    return this.#connection.json({ path: `${PATHS.uploads}?${parameters}`, maxBytes: LONG_ANSWER_BYTES }, sessionPage);
  }

  presign(sessionId: string, request: wire.PresignRequest, signal?: AbortSignal): Promise<wire.PresignResponse> {
    return this.#post(PATHS.presign, sessionId, request, presignedParts, { maxBytes: LONG_ANSWER_BYTES, signal });
  }

  /** Lists what the object store holds now. Costly for the store: ask on resume and when something went wrong, never in a loop. */
  async parts(sessionId: string, signal?: AbortSignal): Promise<wire.PartsResponse> {
    return this.#connection.json(
      { path: pathOf(PATHS.parts, sessionId), timeoutMs: LIST_TIMEOUT_MS, maxBytes: LONG_ANSWER_BYTES, signal },
      about(sessionId, partList),
    );
  }

  /** Cuts the file differently while no part of it is stored. @throws UploadError `SESSION_PLAN_DIFFERS`; `ROUTE_NOT_FOUND` from older servers */
  replan(sessionId: string, request: wire.PlanRequest, signal?: AbortSignal): Promise<wire.Session> {
    return this.#post(PATHS.plan, sessionId, request, about(sessionId, session), { signal });
  }

  report(sessionId: string, report: wire.ReportRequest, signal?: AbortSignal): Promise<wire.Progress> {
    return this.#post(PATHS.report, sessionId, report, about(sessionId, progress), { signal });
  }

  /**
   * Idempotent: completing a completed session answers the same again. The answer may be about another session: the caller compares
   * it as a whole with what was sent.
   */
  complete(sessionId: string, request: wire.CompleteRequest, signal?: AbortSignal): Promise<wire.Session> {
    return this.#post(PATHS.complete, sessionId, request, session, { timeoutMs: COMPLETE_TIMEOUT_MS, signal });
  }

  async abort(sessionId: string): Promise<wire.Session> {
    return this.#connection.json({ method: 'DELETE', path: pathOf(PATHS.upload, sessionId) }, about(sessionId, session));
  }

  /** Grants a token for this session alone, to hand to a browser or a script. */
  grantCapability(sessionId: string, request: wire.CapabilityRequest = {}): Promise<wire.Capability> {
    return this.#post(PATHS.capabilities, sessionId, request, about(sessionId, capability), {});
  }

  async object(sessionId: string): Promise<wire.StoredObject> {
    return this.#connection.json({ path: pathOf(PATHS.object, sessionId) }, about(sessionId, storedObject));
  }

  async progress(sessionId: string): Promise<wire.Progress> {
    return this.#connection.json({ path: pathOf(PATHS.progress, sessionId) }, about(sessionId, progress));
  }

  /** Shows where uploads go, and what part URLs are signed with. Older servers answer `ROUTE_NOT_FOUND`. */
  store(): Promise<wire.StoreReport> {
    return this.#connection.json({ path: PATHS.store }, storeReport);
  }

  /** Resolves to the server's clock if the process answers at all; needs no token. */
  async health(options: { timeoutMs?: number; signal?: AbortSignal | undefined } = {}): Promise<{ date: Date | undefined }> {
    const { date } = await this.#connection.send({ path: PATHS.healthz, anonymous: true, ...options });
    return { date: date === null ? undefined : new Date(date) };
  }

  /** Answers also when the server is not ready: then `ready` is false and `checks` says why. */
  async readiness(signal?: AbortSignal): Promise<wire.Readiness> {
    return this.#connection.parse(await this.#connection.ask({ path: PATHS.readyz, anonymous: true, signal }), readiness);
  }

  async #post<T>(
    template: PathTemplate,
    sessionId: string,
    body: unknown,
    read: Read<T>,
    options: Pick<Call, 'timeoutMs' | 'maxBytes' | 'signal'>,
  ): Promise<T> {
    return this.#connection.json({ method: 'POST', path: pathOf(template, sessionId), body, ...options }, read);
  }
}
