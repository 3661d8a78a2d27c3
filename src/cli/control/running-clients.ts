import { once } from 'node:events';
import { connect } from 'node:net';
import { type ControlRequest, type ControlState, checkState, exchangeLine } from './control-line.ts';
import type { SocketFolder } from './socket-folder.ts';

export interface Answers {
  readonly states: readonly ControlState[];
  /** Reasons why other clients did not answer. */
  readonly failures: readonly string[];
}

/** Asks every client of a session, or all clients on this machine. Removes the sockets of clients that were killed. */
export async function askClients(folder: SocketFolder, request: ControlRequest, sessionId?: string): Promise<Answers> {
  const sockets = await folder.sockets(sessionId);
  const settled = await Promise.all(sockets.map((path) => ask(folder, path, request)));
  return {
    states: settled.filter((answer) => typeof answer === 'object'),
    failures: settled.filter((answer) => typeof answer === 'string'),
  };
}

/** Returns the state, or the reason why there is none; undefined if the client is gone. */
async function ask(folder: SocketFolder, path: string, request: ControlRequest): Promise<ControlState | string | undefined> {
  const socket = connect(path);
  try {
    return checkState(await exchangeLine(socket, request));
  } catch (error) {
    if (await removeIfDead(folder, path, error)) return undefined;
    return error instanceof Error ? error.message : String(error);
  } finally {
    socket.destroy();
  }
}

/** Removes the sockets of killed clients. Connects without asking, because a client that hangs would take its time to answer. */
export async function removeStale(folder: SocketFolder): Promise<void> {
  const sockets = await folder.sockets(undefined);
  await Promise.all(
    sockets.map(async (path) => {
      const socket = connect(path);
      try {
        await once(socket, 'connect');
      } catch (error) {
        await removeIfDead(folder, path, error);
      } finally {
        socket.destroy();
      }
    }),
  );
}

/** Removes the socket if its client is gone. No later client listens at the same path: each creates its own. */
async function removeIfDead(folder: SocketFolder, path: string, error: unknown): Promise<boolean> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') await folder.remove(path).catch(() => undefined);
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}
