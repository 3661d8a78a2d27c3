import type { PresignedPart } from '../../contract/wire.ts';
import { type Connections, createConnections } from '../link/connections.ts';
import { describeAnswer, judgeAnswer, type PartAnswer } from './part-answer.ts';
import { AnsweredOnTheWay } from './part-failures.ts';
import { putPart } from './part-request.ts';

const STALL_MS = 10_000;

/**
 * Asks the way to the store with a part's own URL and without its bytes. The store refuses it, for the length is signed, and says
 * so in its own words; whatever else answers a part answers this, too.
 * @throws AnsweredOnTheWay where it was not the store; ConnectionFailure
 */
export async function putNothing(part: PresignedPart, signal: AbortSignal): Promise<void> {
  // A connection of its own: kept ones are what is in doubt.
  const connections = createConnections();
  try {
    judge(await ask(part, connections, signal));
  } finally {
    connections.close();
  }
}

function ask(part: PresignedPart, connections: Connections, signal: AbortSignal): Promise<PartAnswer> {
  return putPart({
    url: part.url,
    headers: { ...part.headers, 'content-length': '0' },
    body: { pieces: noPieces(), look() {}, end() {} },
    agent: connections.agentFor(part.url),
    stallMs: STALL_MS,
    signal,
    onBytes: () => {},
  });
}

function judge(answer: PartAnswer): void {
  if (judgeAnswer(answer).kind === 'not-the-store') throw new AnsweredOnTheWay(describeAnswer(answer));
}

async function* noPieces(): AsyncGenerator<Uint8Array> {}
