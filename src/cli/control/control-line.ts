import type { Socket } from 'node:net';
import { isSessionId } from '../../contract/paths.ts';

/** A request from another terminal to a running upload: one line of JSON, answered by one line of JSON. */
export type ControlRequest =
  | { readonly do: 'show' | 'pause' | 'continue' }
  /** Null for no limit. */
  | { readonly do: 'limit'; readonly bytesPerSecond: number | null };

/** The answer: the state of the upload after the request. */
export interface ControlState {
  readonly sessionId: string;
  readonly fileName: string;
  readonly paused: boolean;
  readonly bytesPerSecond: number | null;
}

const LONGEST_LINE = 64 * 1024;
const PATIENCE_MS = 3_000;

/** Sends a line, if given, and reads one. @throws if no line comes in time, or a line has no end */
export function exchangeLine(socket: Socket, line?: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer for ${PATIENCE_MS / 1_000} s`)));
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('no answer')));
    socket.on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\n');
      if (end === -1 && text.length > LONGEST_LINE) socket.destroy(new Error('a line without an end'));
      if (end !== -1) resolve(text.slice(0, end));
    });
    if (line !== undefined) sendLine(socket, line);
  }).then((text) => JSON.parse(text as string));
}

export function sendLine(socket: Socket, line: object): void {
  socket.write(`${JSON.stringify(line)}\n`);
}

/** @throws Error that says what is wrong with the request */
export function checkRequest(value: unknown): ControlRequest {
  const request = value as Partial<{ do: string; bytesPerSecond: number | null }> | null;
  switch (request?.do) {
    case 'show':
    case 'pause':
    case 'continue':
      return { do: request.do };
    case 'limit': {
      const { bytesPerSecond } = request;
      if (bytesPerSecond === null) return { do: 'limit', bytesPerSecond };
      if (typeof bytesPerSecond === 'number' && bytesPerSecond > 0) return { do: 'limit', bytesPerSecond };
      throw new Error('"bytesPerSecond" must be a number above 0, or null');
    }
    default:
      throw new Error('"do" must be show, pause, continue or limit');
  }
}

/** @throws Error with the other side's reason */
export function checkState(value: unknown): ControlState {
  const { sessionId, fileName, paused, bytesPerSecond, error } = (value ?? {}) as Partial<ControlState & { error: string }>;
  if (isSessionId(sessionId) && typeof fileName === 'string' && typeof paused === 'boolean') {
    return { sessionId, fileName, paused, bytesPerSecond: bytesPerSecond ?? null };
  }
  throw new Error(typeof error === 'string' ? error : 'the answer does not come from partway');
}
