import * as http from 'node:http';
import * as https from 'node:https';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { noteConnectionError } from './connection-errors.ts';

/**
 * HTTP requests as they are: no redirect is followed, no header is added but Content-Length. An error of the connection stays what the
 * connection reported, noted as such (`isConnectionError`).
 */

export interface RequestOptions {
  readonly method: string;
  readonly agent: http.Agent;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the whole exchange, the body of the answer included. */
  readonly signal?: AbortSignal | undefined;
}

export interface StartedRequest {
  readonly outgoing: http.ClientRequest;
  /** The head of the answer. Rejects where the connection ends without one; may be left without a handler. */
  readonly answered: Promise<http.IncomingMessage>;
}

/** Opens a request. The caller sends its body, ends it, and reads or destroys the answer. */
export function startRequest(url: string, { method, agent, headers = {}, signal }: RequestOptions): StartedRequest {
  const send = url.startsWith('https:') ? https.request : http.request;
  const outgoing = send(url, { method, headers, agent, ...(signal && { signal }) });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.once('response', (response) => {
      // A connection may break before the caller reads the answer, or when it needs nothing more of it.
      response.on('error', () => {});
      resolve(response);
    });
    outgoing.on('error', (error) => reject(noteConnectionError(error)));
    outgoing.once('close', () => reject(noteConnectionError(new Error('the connection was closed without an answer'))));
  });
  answered.catch(() => {});
  return { outgoing, answered };
}

export interface BodyInPieces {
  readonly size: number;
  pieces(): Iterable<Uint8Array>;
}

export interface TextExchange extends RequestOptions {
  readonly body?: string | BodyInPieces | undefined;
  /** Cuts off the rest of a longer answer. */
  readonly maxBytes: number;
  /** Fails when nothing moves for this long. */
  readonly idleMs?: number;
}

export interface TextAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** The answer had more than `maxBytes`. */
  readonly isCut: boolean;
}

/** One request and its whole answer. @throws what the connection reported; the signal's reason where that ended it */
export async function exchangeText(url: string, options: TextExchange): Promise<TextAnswer> {
  const { body, maxBytes, idleMs, signal } = options;
  const length = body === undefined ? {} : { 'content-length': String(sizeOf(body)) };
  const { outgoing, answered } = startRequest(url, { ...options, headers: { ...options.headers, ...length } });
  if (idleMs !== undefined)
    outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error(`nothing moved for ${idleMs / 1_000} s`)));
  // Reports more than the answer does, where the answer breaks off.
  const failed = new Promise<never>((_, reject) => outgoing.on('error', (error) => reject(noteConnectionError(error))));
  failed.catch(() => {});
  if (body === undefined || typeof body === 'string') outgoing.end(body);
  else Readable.from(body.pieces()).pipe(outgoing);
  try {
    return await Promise.race([answered.then((response) => readText(response, maxBytes)), failed]);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    // An answer before the end of the body is a refusal: the rest is not sent.
    if (!outgoing.writableFinished) outgoing.destroy();
  }
}

function sizeOf(body: string | BodyInPieces): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.size;
}

async function readText(response: http.IncomingMessage, maxBytes: number): Promise<TextAnswer> {
  const pieces: Buffer[] = [];
  let received = 0;
  response.on('data', (piece: Buffer) => {
    received += piece.length;
    if (received <= maxBytes) pieces.push(piece);
    // It might never end.
    else response.destroy();
  });
  await finished(response).catch((error: unknown) => {
    if (received <= maxBytes) throw noteConnectionError(error);
  });
  const text = Buffer.concat(pieces).toString('utf8');
  return { status: response.statusCode ?? 0, headers: response.headers, text, isCut: received > maxBytes };
}

const MOST_DISCARDED_BYTES = 4_096;

/** Reads an answer's body and throws it away, so that the connection can be used again; a long body is not worth it. */
export function discardBody(response: http.IncomingMessage): void {
  let bytes = 0;
  response.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MOST_DISCARDED_BYTES) response.destroy();
  });
}
