import * as http from 'node:http';
import * as https from 'node:https';
import { finished } from 'node:stream/promises';
import { type PartAnswer, readS3Error } from './part-answer.ts';

/** The link, not the store, ended an attempt: no answer came. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
}

/** Thrown by a body that cannot deliver the bytes it promised. The request is cut, so the store records nothing. */
export interface PartBody extends AsyncIterable<Uint8Array> {}

export interface PartRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: PartBody;
  readonly agent: http.Agent;
  /** Cut the request when the socket takes no byte for this long. There is no limit on the total time. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** Bytes that the socket took, as they go. */
  readonly onBytes: (count: number) => void;
}

/** Kernel buffers may still drain for a while after the last byte was taken; sized for Linux's largest default send buffer. */
const SEND_BUFFER_BYTES = 4 * 1024 * 1024;
/** Error documents have a few hundred bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * One PUT of one part over node:http, which measured a third faster than fetch and has no header time-out of its own
 * that would cut a slow part. Resolves to the store's answer, whatever it is.
 * @throws ConnectionFailure when no answer came; whatever the body threw; the signal's reason.
 */
export async function putPart(request: PartRequest): Promise<PartAnswer> {
  const { url, headers, agent, signal } = request;
  signal.throwIfAborted();
  const send = url.startsWith('https:') ? https.request : http.request;
  const outgoing = send(url, { method: 'PUT', headers, agent, signal });
  // Its end is awaited below; without a listener an error between two awaits would be unhandled.
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
    outgoing.once('close', () => reject(new ConnectionFailure('the connection was closed without an answer')));
  });
  answered.catch(() => {});
  const watchdog = startWatchdog(outgoing, request.stallMs);
  try {
    await sendBody(outgoing, request, answered, watchdog);
    const answer = await readAnswer(await answered);
    return answer;
  } catch (error) {
    signal.throwIfAborted();
    if (watchdog.stalled) throw new ConnectionFailure(`nothing moved for ${Math.round(watchdog.limitMs / 1_000)} s`);
    throw isConnectionError(error) ? new ConnectionFailure(describeConnectionError(error), { cause: error }) : error;
  } finally {
    watchdog.stop();
    // A request whose body was not sent whole cannot hand its connection on.
    if (!outgoing.writableFinished) outgoing.destroy();
  }
}

async function sendBody(
  outgoing: http.ClientRequest,
  { body, onBytes }: PartRequest,
  answered: Promise<http.IncomingMessage>,
  watchdog: Watchdog,
): Promise<void> {
  // An answer before the end of the body is a refusal: the rest need not be sent.
  let refused = false;
  const stop = () => {
    refused = true;
  };
  answered.then(stop, stop);
  const startedAt = performance.now();
  let sent = 0;
  for await (const piece of body) {
    // Also when it was cut: writing on would read the rest of the part for nobody.
    if (refused || outgoing.destroyed) return;
    const taken = new Promise<void>((resolve) => {
      outgoing.write(piece, (error) => {
        if (!error) {
          sent += piece.length;
          onBytes(piece.length);
          watchdog.progress();
        }
        resolve();
      });
    });
    if (outgoing.writableNeedDrain) await Promise.race([taken, answered]);
  }
  if (refused || outgoing.destroyed) return;
  const bytesPerMs = sent / Math.max(1, performance.now() - startedAt);
  watchdog.allow(Math.min(SEND_BUFFER_BYTES, sent) / bytesPerMs);
  outgoing.end();
}

async function readAnswer(response: http.IncomingMessage): Promise<PartAnswer> {
  // Read to its end, or the connection could not be used again.
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    if (body.length < MAX_ANSWER_BYTES) body += text;
  });
  // Not just `end`: a response that broke before anybody listened will never have one.
  await finished(response);
  const retryAfter = Number(response.headers['retry-after']);
  return {
    status: response.statusCode ?? 0,
    etag: response.headers.etag,
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter >= 0 ? retryAfter : undefined,
    ...readS3Error(body),
  };
}

interface Watchdog {
  readonly stalled: boolean;
  readonly limitMs: number;
  progress(): void;
  /** The last byte was handed over: allow for what the kernel still has to send. */
  allow(extraMs: number): void;
  stop(): void;
}

/** Cuts the request when nothing moves. Slow is fine; still is not. */
function startWatchdog(outgoing: http.ClientRequest, stallMs: number): Watchdog {
  let stalled = false;
  let limitMs = stallMs;
  let timer = setTimeout(cut, limitMs);
  function cut() {
    stalled = true;
    outgoing.destroy();
  }
  return {
    get stalled() {
      return stalled;
    },
    get limitMs() {
      return limitMs;
    },
    progress: () => timer.refresh(),
    allow(extraMs) {
      clearTimeout(timer);
      limitMs = stallMs + (Number.isFinite(extraMs) ? extraMs : 0);
      timer = setTimeout(cut, limitMs);
    },
    stop: () => clearTimeout(timer),
  };
}

const CONNECTION_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  // TLS cut in the middle, and answers cut or mangled on the way.
  'EPROTO',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
/** Something that does not speak HTTP answered, or what did was mangled: not the store's word. */
const PARSE_ERROR = /^HPE_/;

function isConnectionError(error: unknown): boolean {
  if (error instanceof ConnectionFailure) return true;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code !== undefined && (CONNECTION_ERRORS.has(code) || PARSE_ERROR.test(code));
}

function describeConnectionError(error: unknown): string {
  if (error instanceof ConnectionFailure) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
