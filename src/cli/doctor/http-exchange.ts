import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024;

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One small request as it is: no redirects, no added headers but Content-Length. Throws what the connection threw. */
export function exchange(
  url: string,
  options: { readonly method: string; readonly headers: Readonly<Record<string, string>>; readonly body?: Uint8Array },
): Promise<HttpAnswer> {
  const { method, headers, body = new Uint8Array() } = options;
  const send = url.startsWith('https:') ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, { method, headers: { ...headers, 'content-length': String(body.length) }, agent: false });
    outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    outgoing.on('error', reject);
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
      response.on('error', reject);
      response.on('end', answer);

      function answer(): void {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces).toString('utf8') });
      }
    });
    outgoing.end(body);
  });
}
