import { PROBLEM_MEDIA_TYPE, problemType } from '../../contract/problems.ts';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { exchangeText } from '../../outbound/http-exchange.ts';
import { SERVICE_ERROR_CODES, UploadError } from '../../session/errors.ts';
import { certificateNotTrusted, untrustedIn } from '../network/certificate.ts';
import { type Connections, createConnections } from '../network/connections.ts';
import { asLinkFailure, LinkFailure, type LinkTrouble } from '../network/link-failure.ts';
import { explainingProxies } from '../network/proxy-fault.ts';
import { explainForeignAnswer, explainPlainHttp } from '../network/tls-probe.ts';
import { problem } from './answers/problem.ts';
import { InvalidAnswer, type Read } from './answers/read.ts';
import { type Answer, foreignAnswer, invalidAnswer, overTlsAdvice, unreachable } from './call-errors.ts';

/** Ordinary answers take milliseconds; longer than this is a link that lost the request. */
const CALL_TIMEOUT_MS = 20_000;
/** Many times what a session, a problem or a report of progress has. */
const PLAIN_ANSWER_BYTES = 1024 ** 2;

/** Advice for connections that fail for a known reason. */
const HINTS: Partial<Record<LinkTrouble, string>> = {
  'no-tls':
    'Check the port in PARTWAY_SERVER, and whether `partway serve`, or the proxy before it, speaks HTTPS there: PARTWAY_TLS_CERT and PARTWAY_TLS_KEY, in docs/server.md.',
  'no-http': 'Check the port in PARTWAY_SERVER: another program answers there.',
  'unknown-name': 'Check how the name in PARTWAY_SERVER is spelt, and that this computer can look it up (DNS, VPN).',
};

export interface Call {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Without the token: for what needs none. */
  readonly anonymous?: boolean;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ServerConnectionOptions {
  readonly server: string;
  readonly token: string;
  readonly makeAgent?: MakeAgent | undefined;
}

/** Single calls to one server: sends, checks and explains, and remembers what has answered there. */
export class ServerConnection {
  readonly server: string;
  readonly makeAgent: MakeAgent;
  readonly answered = new Set<string>();
  readonly #token: string;
  readonly #connections: Connections;
  #isPartway = false;

  constructor(options: ServerConnectionOptions) {
    this.server = options.server.replace(/\/+$/, '');
    this.#token = options.token;
    this.makeAgent = explainingProxies(options.makeAgent ?? directAgent);
    this.#connections = createConnections(this.makeAgent);
  }

  get hasAnswered(): boolean {
    return this.answered.has(this.server);
  }

  get isPartway(): boolean {
    return this.#isPartway;
  }

  renew(): void {
    this.#connections.renew();
  }

  async json<T>(call: Call, read: Read<T>): Promise<T> {
    return this.parse(await this.send(call), read);
  }

  /** @throws UploadError what the server said, where it refuses */
  async send(call: Call): Promise<Answer> {
    const answer = await this.ask(call);
    if (answer.status < 200 || answer.status > 299) throw this.#errorFrom(answer);
    return answer;
  }

  /** Resolves to any answer, also one that refuses. */
  async ask(call: Call): Promise<Answer> {
    const { method = 'GET', path, body, headers, timeoutMs = CALL_TIMEOUT_MS, maxBytes = PLAIN_ANSWER_BYTES, signal } = call;
    const authorization = call.anonymous ? {} : this.#authorization();
    const timeout = AbortSignal.timeout(timeoutMs);
    const url = this.server + path;
    try {
      const answer = await exchangeText(url, {
        method,
        headers: {
          ...authorization,
          // Lets the server notice that its own clock is wrong: it would end sessions too early.
          date: new Date().toUTCString(),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        agent: this.#connections.agentFor(url),
        maxBytes,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      if (answer.isCut) throw new InvalidAnswer(`it has more than ${maxBytes} bytes`);
      const { status, text } = answer;
      this.answered.add(this.server);
      const onlyTls = this.#isPartway || isJson(text) ? undefined : await explainForeignAnswer(status, url, this.makeAgent);
      if (onlyTls !== undefined)
        throw unreachable(this.server, onlyTls.message, {
          ...overTlsAdvice(this.server, onlyTls),
          facts: { httpStatus: status },
        });
      return { status, mediaType: answer.headers['content-type'] ?? '', date: answer.headers.date ?? null, text };
    } catch (error) {
      // A failure may have broken other connections, too: the next call gets a new one.
      this.#connections.renew();
      signal?.throwIfAborted();
      if (error instanceof InvalidAnswer) throw invalidAnswer(this.server, error);
      if (timeout.aborted) throw unreachable(this.server, 'no answer in time', { cause: error });
      const cause = asLinkFailure(error);
      // Not the connection's: a mistake in this program, or in how it is called.
      if (!(cause instanceof LinkFailure)) throw error;
      if (!this.hasAnswered && untrustedIn(cause)) throw certificateNotTrusted(`the partway server at ${this.server}`, cause);
      const failure = this.#isPartway ? cause : await explainPlainHttp(cause, url, this.makeAgent);
      if (failure.trouble === 'only-tls') throw unreachable(this.server, failure.message, overTlsAdvice(this.server, failure));
      throw unreachable(this.server, cause.message, { cause, hint: HINTS[cause.trouble] });
    }
  }

  /** Checks the token: characters that no header may have would end in an error about headers. */
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

  /** Checks an answer and gives it its type. */
  parse<T>(answer: Answer, read: Read<T>): T {
    const parsed = parseJson(answer.text);
    if (typeof parsed !== 'object' || parsed === null) throw foreignAnswer(this.server, answer);
    try {
      const value = read(parsed, '');
      this.#isPartway ||= read !== problem;
      return value;
    } catch (cause) {
      if (!(cause instanceof InvalidAnswer)) throw cause;
      throw cause.isForeign ? foreignAnswer(this.server, answer) : invalidAnswer(this.server, cause);
    }
  }

  #errorFrom(answer: Answer): UploadError {
    if (!answer.mediaType.startsWith(PROBLEM_MEDIA_TYPE)) return foreignAnswer(this.server, answer);
    const { type, title: _title, status: _status, detail, code, hint, ...facts } = this.parse(answer, problem);
    if (SERVICE_ERROR_CODES.includes(code)) {
      this.#isPartway = true;
      return new UploadError(code, detail, { facts, ...(hint === undefined ? {} : { hint }) });
    }
    // Gateways speak problem+json, too; a code under its own page is one of ours that this version does not know yet.
    if (typeof code !== 'string' || type !== problemType(code)) return foreignAnswer(this.server, answer);
    return new UploadError(answer.status < 500 ? 'INVALID_REQUEST' : 'INTERNAL', detail, {
      facts: { ...facts, serverCode: code },
      hint: hint ?? `The server is newer than this program, which does not know ${code}: compare \`partway --version\` on both.`,
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
