import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE } from '../../contract/problems.ts';
import { type ServiceErrorCode, UploadError } from '../../session/errors.ts';
import type { Log } from '../core/deps.ts';
import { closeLingering } from './lingering-close.ts';
import { type ProblemAnswer, problemAnswer } from './problem-response.ts';

export interface RefusedRequestsOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly log: Log;
  /** Called for each refused request. */
  readonly refused: (code: ServiceErrorCode) => void;
}

/** Answers requests that Node's HTTP server refuses before the app sees them like every other error: with a problem document. */
export function answerRefusedRequests(server: Server, { headers, log, refused: onRefusal }: RefusedRequestsOptions): void {
  const exchanges = new WeakMap<Socket, { readonly request: IncomingMessage; readonly response: ServerResponse }>();
  const refused = new WeakSet<Socket>();

  server.on('request', (request, response) => exchanges.set(request.socket, { request, response }));
  // An unknown `Expect` may be ignored (RFC 9110, section 10.1.1); Node's own answer is not a problem document.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Everything else that arrives over the connection fails again.
    if (refused.has(socket)) return;
    refused.add(socket);
    const refusal = refusalOf(error.code);
    if (refusal === undefined || !socket.writable || !isNextAnswer(exchanges.get(socket))) {
      socket.destroy();
      return;
    }
    const answer = problemAnswer(refusal, randomUUID());
    const { code, status, instance } = answer;
    onRefusal(code);
    log.info({ requestId: instance, code, status, address: socket.remoteAddress }, 'request refused before it was whole');
    closeLingering(socket, httpText(answer, headers));
  });
}

/** False while a whole request is still being answered: the refused one is another, and the client would take its answer for the earlier one's. */
function isNextAnswer(exchange: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined): boolean {
  if (exchange === undefined || exchange.response.writableFinished) return true;
  return !exchange.request.complete && !exchange.response.headersSent;
}

/** Maps Node's error codes; undefined for a broken connection, and for a TLS failure. */
function refusalOf(code: string | undefined): UploadError | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return new UploadError('HEADERS_TOO_LARGE', 'The headers of the request are too large.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new UploadError('REQUEST_TIMEOUT', 'The request did not arrive in time.');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return new UploadError('BODY_TOO_LARGE', 'The body has too many chunk extensions.');
  return code?.startsWith('HPE_') ? new UploadError('INVALID_REQUEST', 'The request is not valid HTTP/1.1.') : undefined;
}

function httpText({ status, body, headers }: ProblemAnswer, edgeHeaders: Readonly<Record<string, string>>): string {
  const all: Record<string, string> = {
    ...edgeHeaders,
    ...headers,
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    date: new Date().toUTCString(),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n');
}
