import * as http from 'node:http';
import * as https from 'node:https';
import { LinkFailure } from '../network/link-failure.ts';
import { InvalidAnswer } from './answers/read.ts';

export interface HttpCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly agent: http.Agent;
  /** An answer with more bytes is cut, and counts as invalid. */
  readonly maxBytes: number;
  /** Ends the whole exchange, the body of the answer included. */
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** One exchange of small texts, as it is: no redirect is followed. @throws InvalidAnswer, LinkFailure, or the signal's reason. */
export function httpCall({ url, method, headers, body, agent, maxBytes, signal }: HttpCall): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? https.request : http.request;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = send(url, { method, headers: { ...headers, ...length }, agent, signal }, (response) => {
      const pieces: Buffer[] = [];
      let received = 0;
      response.on('data', (piece: Buffer) => {
        received += piece.length;
        if (received <= maxBytes) pieces.push(piece);
        else response.destroy(new InvalidAnswer(`it has more than ${maxBytes} bytes`));
      });
      // Also a body that was cut: an answer is whole or it is none.
      response.on('error', fail);
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on('error', fail);
    request.end(body);

    function fail(error: unknown): void {
      if (signal.aborted) reject(signal.reason);
      else reject(error instanceof InvalidAnswer ? error : new LinkFailure(error));
    }
  });
}
