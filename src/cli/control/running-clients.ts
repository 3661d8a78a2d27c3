import { once } from 'node:events';
import { connect } from 'node:net';
import { type ControlRequest, type ControlState, checkState, exchangeLine } from './control-line.ts';
import type { SocketFolder } from './socket-folder.ts';

export interface Answers {
  readonly states: readonly ControlState[];
  /** Why the others did not answer. */
  readonly failures: readonly string[];
}

/** Asks every client of a session, or all there are on this machine. Those that were killed are forgotten on the way. */
export async function askClients(folder: SocketFolder, request: ControlRequest, sessionId?: string): Promise<Answers> {
  const sockets = await folder.sockets(sessionId);
  const settled = await Promise.all(sockets.map((path) => ask(folder, path, request)));
  return {
    states: settled.filter((answer) => typeof answer === 'object'),
    failures: settled.filter((answer) => typeof answer === 'string'),
  };
}

/** The state, or why there is none; undefined where nobody listens any more. */
async function ask(folder: SocketFolder, path: string, request: ControlRequest): Promise<ControlState | string | undefined> {
  const socket = connect(path);
  try {
    return checkState(await exchangeLine(socket, request));
  } catch (error) {
    if (await forgetDead(folder, path, error)) return undefined;
    return error instanceof Error ? error.message : String(error);
  } finally {
    socket.destroy();
  }
}

/** Without asking anybody: a client that hangs would take its time. */
export async function removeStale(folder: SocketFolder): Promise<void> {
  const sockets = await folder.sockets(undefined);
  await Promise.all(
    sockets.map(async (path) => {
      const socket = connect(path);
      try {
        await once(socket, 'connect');
      } catch (error) {
        await forgetDead(folder, path, error);
      } finally {
        socket.destroy();
      }
    }),
  );
}

/** Nobody will ever listen at this path again: each client makes up a new one. */
async function forgetDead(folder: SocketFolder, path: string, error: unknown): Promise<boolean> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') await folder.remove(path).catch(() => undefined);
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}
