import { asLinkFailure } from '../../client/network/link-failure.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { type BodyInPieces, exchangeText, type TextAnswer } from '../../outbound/http-exchange.ts';

const IDLE_MS = 15_000;
const MAX_ANSWER_BYTES = 64 * 1024;

export type HttpAnswer = Pick<TextAnswer, 'status' | 'headers' | 'text'>;

export interface Exchange {
  readonly makeAgent: MakeAgent;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: BodyInPieces;
  /** Receives the bytes of each piece of the body that was handed over. */
  readonly onSent?: (bytes: number) => void;
}

/** One request over a new connection; of a long answer, the beginning has all that is looked at. @throws LinkFailure */
export async function exchange(url: string, { makeAgent, method, headers, body, onSent }: Exchange): Promise<HttpAnswer> {
  const agent = makeAgent(url, { keepAlive: false });
  const counted = body === undefined ? '' : { size: body.size, pieces: () => countPieces(body.pieces(), onSent) };
  try {
    return await exchangeText(url, { method, agent, headers, body: counted, maxBytes: MAX_ANSWER_BYTES, idleMs: IDLE_MS });
  } catch (error) {
    throw asLinkFailure(error);
  }
}

function* countPieces(pieces: Iterable<Uint8Array>, onSent: (bytes: number) => void = () => {}): Generator<Uint8Array> {
  for (const piece of pieces) {
    yield piece;
    onSent(piece.length);
  }
}
