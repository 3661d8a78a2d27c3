import * as http from 'node:http';
import * as https from 'node:https';
import { finished } from 'node:stream/promises';
import { readS3Error } from '../../outbound/s3-error.ts';
import type { ByteLimiter } from '../flow/byte-limiter.ts';
import { LinkFailure } from '../network/link-failure.ts';
import type { LivenessWatch, PartVitals } from '../network/liveness.ts';
import type { PartAnswer } from './part-answer.ts';

/** An attempt that the link ended, not the store: no answer came. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
  /** The store may have the part: only its answer got lost. */
  readonly bodySent: boolean;
  /** This side gave the connection up, because nothing moved in it. */
  readonly givenUp: boolean;
  /** When the connection was closed, if it was, on the request's clock: a rate limit may hold the attempt for longer. */
  readonly closedAt: number | undefined;

  constructor(
    message: string,
    options: { cause?: unknown; bodySent?: boolean; givenUp?: boolean; closedAt?: number | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.bodySent = options.bodySent ?? false;
    this.givenUp = options.givenUp ?? false;
    this.closedAt = options.closedAt;
  }
}

/** The bytes of a part. `look` sees each piece on its way instead of wrapping the pieces: each layer around them costs promises for each piece. */
export interface PartBody {
  readonly pieces: AsyncIterable<Uint8Array>;
  look(piece: Uint8Array): void;
  /** Called after the last piece. Throws where bytes are missing: the request is cut then, so the store records nothing. */
  end(): void;
}

export interface PartRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: PartBody;
  readonly agent: http.Agent;
  /** Cut the request when the socket takes no byte for this long. There is no limit on the total time. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** Receives the number of bytes of each write that the socket took. */
  readonly onBytes: (count: number) => void;
  /** Called when the last byte was handed over, before the answer comes, and also when the attempt ends before that. */
  readonly onBodySent?: () => void;
  /** Holds bytes back to keep below a rate. */
  readonly limiter?: ByteLimiter | undefined;
  /** Watches the connection from outside, and may cut it. */
  readonly watch?: ((vitals: PartVitals) => LivenessWatch) | undefined;
  /** Never the wall clock: a step of it would make a connection look dead, or keep a dead one for hours. */
  readonly now?: () => number;
}

/** Kernel buffers may drain for a while after the last byte was taken. This is Linux's largest default send buffer. */
const SEND_BUFFER_BYTES = 4 * 1024 * 1024;
/** Error documents have a few hundred bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Bytes handed to the socket at once: few on slow links, where each write that is taken is a sign of life. */
const SMALL_WRITE = 64 * 1024;
const QUICK_WRITE_MS = 20;
/** Weight of the latest gap in the smoothed one. */
const GAP_WEIGHT = 0.2;

/**
 * One PUT of one part over node:http, which measured a third faster than fetch and has no header time-out of its own
 * that would cut a slow part. Resolves to the store's answer, whatever it is.
 * @throws ConnectionFailure when no answer came; whatever the body threw; the signal's reason.
 */
export async function putPart(request: PartRequest): Promise<PartAnswer> {
  const { url, headers, agent, signal, now = () => performance.now() } = request;
  signal.throwIfAborted();
  const send = url.startsWith('https:') ? https.request : http.request;
  const outgoing = send(url, { method: 'PUT', headers, agent, signal });
  // The answer is awaited below; without a listener, an error between two awaits would be unhandled.
  let closedAt: number | undefined;
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', (error) => reject(new LinkFailure(error)));
    outgoing.once('close', () => {
      closedAt = now();
      reject(new LinkFailure(new Error('the connection was closed without an answer')));
    });
  });
  answered.catch(() => {});
  const monitor = startMonitor(outgoing, request, now);
  try {
    await sendBody(outgoing, request, answered, monitor);
    request.onBodySent?.();
    return await readAnswer(await answered);
  } catch (error) {
    signal.throwIfAborted();
    // An error of the body, or a mistake in this program.
    if (!(error instanceof LinkFailure)) throw error;
    if (monitor.cutBecause !== undefined) throw givenUp(monitor.cutBecause, monitor);
    throw new ConnectionFailure(error.message, { cause: error, bodySent: monitor.bodySent, closedAt });
  } finally {
    request.onBodySent?.();
    monitor.stop();
    // A request whose body was not sent whole cannot hand its connection on.
    if (!outgoing.writableFinished) outgoing.destroy();
  }
}

function givenUp(reason: string, { bodySent }: Monitor): ConnectionFailure {
  return new ConnectionFailure(reason, { bodySent, givenUp: true });
}

async function sendBody(
  outgoing: http.ClientRequest,
  { body, limiter, signal, onBytes }: PartRequest,
  answered: Promise<http.IncomingMessage>,
  monitor: Monitor,
): Promise<void> {
  // An answer before the end of the body is a refusal: the rest need not be sent, and no write is waited for any more.
  let refused = false;
  let wake = () => {};
  const stop = () => {
    refused = true;
    wake();
  };
  answered.then(stop, stop);
  const write = (bytes: Uint8Array) =>
    new Promise<void>((resolve) => {
      wake = resolve;
      outgoing.write(bytes, () => resolve());
    });
  const startedAt = performance.now();
  let sent = 0;
  let quick = true;
  for await (const piece of body.pieces) {
    body.look(piece);
    for (let offset = 0; offset < piece.length; ) {
      let size = Math.min(quick ? piece.length : SMALL_WRITE, piece.length - offset);
      if (limiter?.bytesPerSecond !== undefined) size = await monitor.holding(limiter.take(size, signal));
      const bytes = piece.subarray(offset, offset + size);
      // Also when the request was cut: going on would read the rest of the part for nothing.
      if (refused || outgoing.destroyed) return;
      const writtenAt = performance.now();
      await write(bytes);
      if (refused || outgoing.destroyed) return;
      quick = performance.now() - writtenAt < QUICK_WRITE_MS;
      sent += bytes.length;
      offset += bytes.length;
      onBytes(bytes.length);
      monitor.moved(bytes.length);
    }
  }
  if (refused || outgoing.destroyed) return;
  body.end();
  const bytesPerMs = sent / Math.max(1, performance.now() - startedAt);
  monitor.bodyTaken(sent === 0 ? 0 : Math.min(SEND_BUFFER_BYTES, sent) / bytesPerMs);
  outgoing.end();
}

/** Reads the whole answer; in its body, only an error document of S3 counts. @throws LinkFailure */
export async function readAnswer(response: http.IncomingMessage): Promise<PartAnswer> {
  // Without reading to the end, the connection could not be used again.
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    if (body.length < MAX_ANSWER_BYTES) body += text;
  });
  // Not just `end`: a response that broke before this line never emits one.
  await finished(response).catch((error: unknown) => {
    throw new LinkFailure(error);
  });
  const retryAfter = Number(response.headers['retry-after']);
  return {
    status: response.statusCode ?? 0,
    etag: response.headers.etag,
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter >= 0 ? retryAfter : undefined,
    contentType: response.headers['content-type'],
    server: [response.headers.server].flat()[0],
    location: response.headers.location,
    ...readS3Error(body),
  };
}

interface Monitor {
  readonly cutBecause: string | undefined;
  readonly bodySent: boolean;
  moved(bytes: number): void;
  /** Waits on purpose: the time spent here says nothing about the connection. */
  holding<Result>(wait: Promise<Result>): Promise<Result>;
  /** Call when the last byte was handed over: kernel, VPN or proxy may have to send for a while. */
  bodyTaken(kernelMs: number): void;
  stop(): void;
}

/** Cuts the request when nothing moves for `stallMs`, whatever `watch` judges. Slow is fine; still is not. */
function startMonitor(outgoing: http.ClientRequest, { stallMs, watch }: PartRequest, now: () => number): Monitor {
  let cutBecause: string | undefined;
  const vitals: PartVitals = {
    lastMovedAt: now(),
    bytesTaken: 0,
    gapMs: 0,
    waiting: undefined,
    held: false,
    cut(reason) {
      cutBecause ??= reason;
      outgoing.destroy();
    },
  };
  const watching = watch?.(vitals);
  const cutStill = () => vitals.cut(`nothing moved for ${Math.round((now() - vitals.lastMovedAt) / 1_000)} s`);
  /** Judges again when the time is over: by then, the answers to other parts say more about how long this one's may take. */
  const cutOverdue = () => {
    const leftMs = (watching?.answerDueAt() ?? 0) + stallMs - now();
    if (leftMs <= 0) cutStill();
    else timer = setTimeout(cutOverdue, Math.min(leftMs, stallMs));
  };
  let timer = setTimeout(cutStill, stallMs);
  return {
    get cutBecause() {
      return cutBecause;
    },
    get bodySent() {
      return vitals.waiting !== undefined;
    },
    moved(bytes) {
      vitals.bytesTaken += bytes;
      const at = now();
      vitals.gapMs += (at - vitals.lastMovedAt - vitals.gapMs) * GAP_WEIGHT;
      vitals.lastMovedAt = at;
      timer.refresh();
    },
    async holding(wait) {
      vitals.held = true;
      const result = await wait;
      vitals.held = false;
      vitals.lastMovedAt = now();
      timer.refresh();
      return result;
    },
    bodyTaken(kernelMs) {
      clearTimeout(timer);
      vitals.lastMovedAt = now();
      vitals.waiting = { kernelMs, queuedBytes: watching?.unansweredBytes() ?? 0 };
      timer = setTimeout(cutOverdue, stallMs + kernelMs);
    },
    stop() {
      clearTimeout(timer);
      watching?.stop();
    },
  };
}
