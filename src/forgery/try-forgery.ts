import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { noteConnectionError } from '../outbound/connection-errors.ts';
import { directAgent, type MakeAgent } from '../outbound/direct-agent.ts';
import { type ForgedRequest, type ForgeryTarget, forgePart } from './forged-part.ts';
import { type ForgeryAnswer, type ForgeryVerdict, judgeForgery } from './verdict.ts';

const TIMEOUT_MS = 10_000;
/** Bounds the answer; S3's errors have a few hundred bytes. */
const MOST_BODY_BYTES = 64 * 1024;

/**
 * Finds out whether the object store accepts a forged request that names this access key id. Changes nothing, and always uses a new
 * connection.
 * @throws Error of the connection if no answer comes within 10 s.
 */
export async function tryForgery(target: ForgeryTarget, makeAgent: MakeAgent = directAgent): Promise<ForgeryVerdict> {
  return judgeForgery(await send(forgePart(target), makeAgent));
}

function send({ method, url, headers, body }: ForgedRequest, makeAgent: MakeAgent): Promise<ForgeryAnswer> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const agent = makeAgent(url.href, { keepAlive: false });
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = start(url, { method, headers, agent, signal }, (response) => {
      response.on('error', noteConnectionError);
      readAnswer(response).then(resolve, reject);
    });
    request.once('error', (error) => reject(noteConnectionError(error)));
    request.end(body);
  });
}

async function readAnswer(response: IncomingMessage): Promise<ForgeryAnswer> {
  let body = '';
  for await (const text of response.setEncoding('utf8')) {
    body += text;
    if (body.length > MOST_BODY_BYTES) break;
  }
  return { status: response.statusCode ?? 0, body: body.slice(0, MOST_BODY_BYTES) };
}
