import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { LinkFailure } from '../../client/network/link-failure.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';

const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024;

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Exchange {
  readonly makeAgent: MakeAgent;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: { readonly size: number; pieces(): Iterable<Uint8Array> };
  /** Bytes of the body that were handed over so far. */
  readonly onSent?: (bytes: number) => void;
}

/** One request as it is: no redirects, no added headers but Content-Length. @throws LinkFailure */
export function exchange(url: string, { makeAgent, method, headers, body, onSent = () => {} }: Exchange): Promise<HttpAnswer> {
  const agent = makeAgent(url, { keepAlive: false });
  const send = url.startsWith('https:') ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(body?.size ?? 0) };
    const outgoing = send(url, { method, headers: { ...headers, ...length }, agent });
    outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error(`nothing moved for ${TIMEOUT_MS / 1000} s`)));
    const fail = (error: Error) => reject(new LinkFailure(error));
    outgoing.on('error', fail);
    outgoing.on('close', () => fail(new Error('the connection was closed without an answer')));
    outgoing.on('response', (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('data', (piece: Buffer) => {
        length += piece.length;
        if (length <= MAX_ANSWER_BYTES) return void pieces.push(piece);
        // It might never end, and its beginning has all that is looked at.
        answer();
        response.destroy();
      });
      response.on('error', fail);
      response.on('end', answer);

      function answer(): void {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces).toString('utf8') });
        // An answer before the end of the body is a refusal: the rest is not sent.
        outgoing.destroy();
      }
    });
    Readable.from(counted(body?.pieces() ?? [], onSent)).pipe(outgoing);
  });
}

function* counted(pieces: Iterable<Uint8Array>, onSent: (bytes: number) => void): Generator<Uint8Array> {
  for (const piece of pieces) {
    yield piece;
    onSent(piece.length);
  }
}
