import { PATHS, type PathTemplate, pathOf } from '../../contract/paths.ts';
import { PROBLEM_MEDIA_TYPE, problemType } from '../../contract/problems.ts';
import type * as wire from '../../contract/wire.ts';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { SERVICE_ERROR_CODES, UploadError } from '../../session/errors.ts';
import { certificateNotTrusted, untrustedIn } from '../network/certificate.ts';
import { type Connections, createConnections } from '../network/connections.ts';
import { LinkFailure, type LinkTrouble } from '../network/link-failure.ts';
import { explainingProxies } from '../network/proxy-fault.ts';
import { readS3Error } from '../network/s3-error.ts';
import { explainForeignAnswer, explainPlainHttp, overTls } from '../network/tls-probe.ts';
import { partList, presignedParts } from './answers/parts.ts';
import { problem } from './answers/problem.ts';
import { InvalidAnswer, type Read } from './answers/read.ts';
import { about, progress, session, sessionPage } from './answers/session.ts';
import { capability, readiness, storedObject, storeReport } from './answers/store.ts';
import { httpCall } from './http-call.ts';

/** Ordinary answers take milliseconds; longer than this is a link that lost the request. */
const CALL_TIMEOUT_MS = 20_000;
/** A store reads all parts' metadata to list them: 10,000 parts took it 4 to 8 s (measured). */
const LIST_TIMEOUT_MS = 120_000;
/** Assembling a large object takes the store a while. Asking again is safe, so this need not cover the worst case. */
const COMPLETE_TIMEOUT_MS = 280_000;
/** Many times what a session, a problem or a report of progress has. */
const PLAIN_ANSWER_BYTES = 1024 ** 2;
/** For lists of parts, part URLs and sessions: 10,000 parts have 1.5 MB, 1,000 URLs with an STS token each 3 MB. */
const LONG_ANSWER_BYTES = 16 * 1024 ** 2;

export interface ControlPlaneOptions {
  /** For example `http://127.0.0.1:7373`. */
  readonly server: string;
  readonly token: string;
  /** The way to the server, and to the store for runs with this control plane; straight unless given. `agentsThrough` goes through proxies. */
  readonly makeAgent?: MakeAgent | undefined;
}

/** Advice for connections that fail for a known reason. */
const HINTS: Partial<Record<LinkTrouble, string>> = {
  'no-tls':
    'Check the port in PARTWAY_SERVER, and whether `partway serve`, or the proxy before it, speaks HTTPS there: PARTWAY_TLS_CERT and PARTWAY_TLS_KEY, in docs/server.md.',
  'no-http': 'Check the port in PARTWAY_SERVER: another program answers there.',
  'unknown-name': 'Check how the name in PARTWAY_SERVER is spelt, and that this computer can look it up (DNS, VPN).',
};

interface Call {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Without the token: for what anybody may ask. */
  readonly anonymous?: boolean;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

interface Answer {
  readonly status: number;
  readonly mediaType: string;
  readonly date: string | null;
  readonly text: string;
}

/**
 * The control plane's API, typed. Every method is one request: retrying is the caller's decision.
 * Throws UploadError with the code that the server answered, `SERVER_UNREACHABLE` when no answer of it came,
 * `PROXY_NOT_USABLE` when the way leads through a proxy that partway cannot use,
 * `CERTIFICATE_NOT_TRUSTED` when it has never answered and its certificate is refused, or `INVALID_ANSWER` when an answer came that cannot be: what is returned has the types, bounds and the session id that it should have.
 */
export class ControlPlane {
  readonly server: string;
  readonly makeAgent: MakeAgent;
  /** Addresses that have answered during the life of this object: this server's, and the stores' that uploads over it went to. */
  readonly answered = new Set<string>();
  readonly #token: string;
  readonly #connections: Connections;
  #isPartway = false;

  constructor(options: ControlPlaneOptions) {
    this.server = options.server.replace(/\/+$/, '');
    this.#token = options.token;
    this.makeAgent = explainingProxies(options.makeAgent ?? directAgent);
    this.#connections = createConnections(this.makeAgent);
  }

  /** Whether anything ever answered here: a certificate that is not trusted is then an outage, not a wrong set-up. */
  get hasAnswered(): boolean {
    return this.answered.has(this.server);
  }

  /** Whether a partway server ever answered here: a page of another program is then an outage, not a wrong URL. */
  get isPartway(): boolean {
    return this.#isPartway;
  }

  /** The next calls get new connections: idle ones may be dead without knowing it. Those under way keep theirs. */
  renewConnections(): void {
    this.#connections.renew();
  }

  /** `created` is false where the server found the session that this file has already. */
  async create(request: wire.CreateRequest, options: { idempotencyKey?: string; signal?: AbortSignal | undefined } = {}) {
    const headers: Record<string, string> = options.idempotencyKey ? { 'idempotency-key': options.idempotencyKey } : {};
    const answer = await this.#send({ method: 'POST', path: PATHS.uploads, body: request, headers, signal: options.signal });
    return { session: this.#parse(answer, session), created: answer.status === 201 };
  }

  async get(sessionId: string, signal?: AbortSignal): Promise<wire.Session> {
    return this.#json({ path: pathOf(PATHS.upload, sessionId), signal }, about(sessionId, session));
  }

  list(query: { status?: string; limit?: number; cursor?: string } = {}): Promise<wire.SessionList> {
    const parameters = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]));
    return this.#json({ path: `${PATHS.uploads}?${parameters}`, maxBytes: LONG_ANSWER_BYTES }, sessionPage);
  }

  presign(sessionId: string, request: wire.PresignRequest, signal?: AbortSignal): Promise<wire.PresignResponse> {
    return this.#post(PATHS.presign, sessionId, request, presignedParts, { maxBytes: LONG_ANSWER_BYTES, signal });
  }

  /** What the object store holds now. Costly for the store: ask on resume and when something went wrong, never in a loop. */
  async parts(sessionId: string, signal?: AbortSignal): Promise<wire.PartsResponse> {
    return this.#json(
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
   * Idempotent: completing a completed session answers the same again. The answer may be about another session: whoever asks compares it
   * as a whole with what was sent.
   */
  complete(sessionId: string, request: wire.CompleteRequest, signal?: AbortSignal): Promise<wire.Session> {
    return this.#post(PATHS.complete, sessionId, request, session, { timeoutMs: COMPLETE_TIMEOUT_MS, signal });
  }

  async abort(sessionId: string): Promise<wire.Session> {
    return this.#json({ method: 'DELETE', path: pathOf(PATHS.upload, sessionId) }, about(sessionId, session));
  }

  /** A token for this session alone, to hand to a browser or a script. */
  grantCapability(sessionId: string, request: wire.CapabilityRequest = {}): Promise<wire.Capability> {
    return this.#post(PATHS.capabilities, sessionId, request, about(sessionId, capability), {});
  }

  async object(sessionId: string): Promise<wire.StoredObject> {
    return this.#json({ path: pathOf(PATHS.object, sessionId) }, about(sessionId, storedObject));
  }

  async progress(sessionId: string): Promise<wire.Progress> {
    return this.#json({ path: pathOf(PATHS.progress, sessionId) }, about(sessionId, progress));
  }

  /** Where uploads go, and what part URLs are signed with. Older servers answer `ROUTE_NOT_FOUND`. */
  store(): Promise<wire.StoreReport> {
    return this.#json({ path: PATHS.store }, storeReport);
  }

  /** Resolves to the server's clock if the process answers at all; needs no token. */
  async health(options: { timeoutMs?: number; signal?: AbortSignal | undefined } = {}): Promise<{ date: Date | undefined }> {
    const { date } = await this.#send({ path: PATHS.healthz, anonymous: true, ...options });
    return { date: date === null ? undefined : new Date(date) };
  }

  /** Answers also when the server is not ready: then `ready` is false and `checks` says why. */
  async readiness(signal?: AbortSignal): Promise<wire.Readiness> {
    return this.#parse(await this.#fetch({ path: PATHS.readyz, anonymous: true, signal }), readiness);
  }

  async #post<T>(
    template: PathTemplate,
    sessionId: string,
    body: unknown,
    read: Read<T>,
    options: Pick<Call, 'timeoutMs' | 'maxBytes' | 'signal'>,
  ): Promise<T> {
    return this.#json({ method: 'POST', path: pathOf(template, sessionId), body, ...options }, read);
  }

  async #json<T>(call: Call, read: Read<T>): Promise<T> {
    return this.#parse(await this.#send(call), read);
  }

  async #send(call: Call): Promise<Answer> {
    const answer = await this.#fetch(call);
    if (answer.status < 200 || answer.status > 299) throw this.#errorFrom(answer);
    return answer;
  }

  async #fetch(call: Call): Promise<Answer> {
    const { method = 'GET', path, body, headers, timeoutMs = CALL_TIMEOUT_MS, maxBytes = PLAIN_ANSWER_BYTES, signal } = call;
    const authorization = call.anonymous ? {} : this.#authorization();
    const timeout = AbortSignal.timeout(timeoutMs);
    const url = this.server + path;
    try {
      const {
        status,
        headers: answered,
        text,
      } = await httpCall({
        url,
        method,
        headers: {
          ...authorization,
          // A server whose own clock is wrong would end sessions too early: by this it can tell.
          date: new Date().toUTCString(),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        agent: this.#connections.agentFor(url),
        maxBytes,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      this.answered.add(this.server);
      const onlyTls = this.#isPartway || isJson(text) ? undefined : await explainForeignAnswer(status, url, this.makeAgent);
      if (onlyTls !== undefined)
        throw this.#unreachable(onlyTls.message, { ...this.#overTls(onlyTls), facts: { httpStatus: status } });
      return { status, mediaType: answered['content-type'] ?? '', date: answered.date ?? null, text };
    } catch (cause) {
      // What broke may have broken its neighbours, too: the next call gets a new connection.
      this.#connections.renew();
      signal?.throwIfAborted();
      if (cause instanceof InvalidAnswer) throw this.#invalid(cause);
      if (timeout.aborted) throw this.#unreachable('no answer in time', { cause });
      // Not the connection's: a mistake in this program, or in how it is called.
      if (!(cause instanceof LinkFailure)) throw cause;
      if (!this.hasAnswered && untrustedIn(cause)) throw certificateNotTrusted(`the partway server at ${this.server}`, cause);
      const failure = this.#isPartway ? cause : await explainPlainHttp(cause, url, this.makeAgent);
      if (failure.trouble === 'only-tls') throw this.#unreachable(failure.message, this.#overTls(failure));
      throw this.#unreachable(cause.message, { cause, hint: HINTS[cause.trouble] });
    }
  }

  /** Checked here: what cannot be a header would end in an error about headers. */
  #authorization(): Record<string, string> {
    if (/^[\x21-\x7e]+$/.test(this.#token)) return { authorization: `Bearer ${this.#token}` };
    throw new UploadError(
      'UNAUTHORIZED',
      `The token ${this.#token === '' ? 'is empty' : 'holds characters that no token has'}.`,
      {
        hint: 'Set PARTWAY_TOKEN to the token that `partway serve` showed at its first start, on one line.',
      },
    );
  }

  #parse<T>(answer: Answer, read: Read<T>): T {
    const parsed = parseJson(answer.text);
    if (typeof parsed !== 'object' || parsed === null) throw this.#foreign(answer);
    try {
      const value = read(parsed, '');
      this.#isPartway ||= read !== problem;
      return value;
    } catch (cause) {
      if (!(cause instanceof InvalidAnswer)) throw cause;
      throw cause.isForeign ? this.#foreign(answer) : this.#invalid(cause);
    }
  }

  #errorFrom(answer: Answer): UploadError {
    if (!answer.mediaType.startsWith(PROBLEM_MEDIA_TYPE)) return this.#foreign(answer);
    const { type, title: _title, status: _status, detail, code, hint, ...facts } = this.#parse(answer, problem);
    if (SERVICE_ERROR_CODES.includes(code)) {
      this.#isPartway = true;
      return new UploadError(code, detail, { facts, ...(hint === undefined ? {} : { hint }) });
    }
    // Gateways speak problem+json, too; a code under its own page is one of ours that this version does not know yet.
    if (typeof code !== 'string' || type !== problemType(code)) return this.#foreign(answer);
    return new UploadError(answer.status < 500 ? 'INVALID_REQUEST' : 'INTERNAL', detail, {
      facts: { ...facts, serverCode: code },
      hint: hint ?? `The server is newer than this program, which does not know ${code}: compare \`partway --version\` on both.`,
    });
  }

  /** Not our server's words: a proxy or another program answered. */
  #foreign(answer: Answer): UploadError {
    const httpStatus = answer.status;
    if (readS3Error(answer.text).code !== undefined)
      return this.#unreachable(`an object store answered there (HTTP ${httpStatus}), not a partway server`, {
        facts: { httpStatus },
        hint: 'Set PARTWAY_SERVER to the address of `partway serve`; the server tells by itself where the store is.',
      });
    const what =
      httpStatus === 407
        ? 'a proxy on the way wants a name and a password, or other ones (HTTP 407)'
        : `something there answered HTTP ${httpStatus} without being a partway server`;
    return this.#unreachable(what, { facts: { httpStatus } });
  }

  #overTls(cause: LinkFailure): { cause: unknown; hint: string } {
    const path = new URL(this.server).pathname.replace(/\/+$/, '');
    return { cause, hint: `Type: export PARTWAY_SERVER=${overTls(this.server)}${path}   Then run the same command again.` };
  }

  /** Waiting does not help: the same question would get the same answer. */
  #invalid(cause: InvalidAnswer): UploadError {
    return new UploadError(
      'INVALID_ANSWER',
      `The partway server at ${this.server} gave an answer that cannot be: ${cause.message}.`,
      {
        cause,
      },
    );
  }

  #unreachable(
    reason: string,
    { hint, facts, ...options }: { cause?: unknown; hint?: string | undefined; facts?: { httpStatus: number } } = {},
  ): UploadError {
    return new UploadError('SERVER_UNREACHABLE', `The partway server at ${this.server} cannot be reached: ${reason}.`, {
      ...options,
      hint: hint ?? 'Check that PARTWAY_SERVER names it and that `partway serve` runs there.',
      facts: { reason, ...facts },
    });
  }
}

function isJson(text: string): boolean {
  return parseJson(text) !== undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
