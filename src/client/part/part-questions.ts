import * as http from 'node:http';
import * as https from 'node:https';
import type { PresignedPart } from '../../contract/wire.ts';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { createConnections } from '../network/connections.ts';
import { explainForeignAnswer } from '../network/tls-probe.ts';
import { describeAnswer, judgeAnswer, type PartAnswer } from './part-answer.ts';
import { AnsweredOnTheWay } from './part-failures.ts';
import { ConnectionFailure, putPart, readAnswer } from './put-part.ts';

/** Requests that ask about the way to the store, with a part's own URL and without its bytes, each over a new connection. */

const STALL_MS = 10_000;
const LONGEST_HESITATION_MS = 5_000;

/**
 * Asks whether the store itself answers. The store refuses an empty PUT in its own words, because the length is signed; whatever
 * answers parts in its place answers this request, too.
 * @throws AnsweredOnTheWay where it was not the store; ConnectionFailure
 */
export async function putNothing(
  { url, headers }: PresignedPart,
  signal: AbortSignal,
  makeAgent: MakeAgent = directAgent,
): Promise<void> {
  const connections = createConnections(makeAgent);
  try {
    const answer = await putPart({
      url,
      headers: { ...headers, 'content-length': '0' },
      body: { pieces: noPieces(), look() {}, end() {} },
      agent: connections.agentFor(url),
      stallMs: STALL_MS,
      signal,
      onBytes: () => {},
    });
    if (judgeAnswer(answer).kind === 'not-the-store') throw new AnsweredOnTheWay(describeAnswer(answer));
  } finally {
    connections.close();
  }
}

async function* noPieces(): AsyncGenerator<Uint8Array> {}

/** @throws ConnectionFailure where the answer is that of a port which speaks TLS to a part that was sent in plain HTTP. */
export async function refuseOnlyTls({ status, code }: PartAnswer, url: string, makeAgent: MakeAgent): Promise<void> {
  const onlyTls = code === undefined ? await explainForeignAnswer(status, url, makeAgent) : undefined;
  if (onlyTls !== undefined) throw new ConnectionFailure(onlyTls.message, { cause: onlyTls });
}

/**
 * Asks whether the part may come, with `Expect: 100-continue`. A proxy that answers and closes at once often breaks the connection
 * before its answer is read; this way nothing is on the wire when it comes. Undefined where the part may come, and where nothing
 * definite was said.
 */
export function askToSend(
  { url, headers }: PresignedPart,
  signal: AbortSignal,
  makeAgent: MakeAgent = directAgent,
): Promise<PartAnswer | undefined> {
  const agent = makeAgent(url, { keepAlive: false });
  const send = url.startsWith('https:') ? https.request : http.request;
  return new Promise((resolve) => {
    const request = send(url, { method: 'PUT', headers: { ...headers, expect: '100-continue' }, agent, signal });
    const finish = (answer?: PartAnswer) => {
      clearTimeout(timer);
      resolve(answer);
      request.destroy();
    };
    const timer = setTimeout(finish, LONGEST_HESITATION_MS);
    request.on('continue', () => finish());
    request.on('response', (response) => readAnswer(response).then(finish, () => finish()));
    // A connection that breaks says no more than the ones before.
    request.on('error', () => finish());
    request.flushHeaders();
  });
}
