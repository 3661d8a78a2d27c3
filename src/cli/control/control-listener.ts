import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { UploadControl } from '../../client/flow/upload-control.ts';
import type * as wire from '../../contract/wire.ts';
import type { CliContext } from '../terminal/context.ts';
import { type ControlRequest, type ControlState, checkRequest, exchangeLine, sendLine } from './control-line.ts';
import { removeStale } from './running-clients.ts';
import { SocketFolder } from './socket-folder.ts';

type NamedSession = Pick<wire.Session, 'sessionId' | 'fileName'>;

/** Lets other terminals control an upload. Returns a function that stops it and removes the socket. Never throws: at worst it warns, once. */
export type ListenForControl = (session: NamedSession) => Promise<() => void>;

export function createControlListener(
  context: CliContext,
  control: UploadControl,
  warn: (message: string) => void,
): ListenForControl {
  const folder = new SocketFolder(context);
  let hasWarned = false;
  return async (session) => {
    try {
      const path = await folder.newSocket(session.sessionId);
      const close = await listen(path, control, session, context.platform);
      await removeStale(folder);
      return close;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!hasWarned) warn(`partway pause, continue and limit will not reach this upload (${reason}); it goes on without`);
      hasWarned = true;
      return () => {};
    }
  };
}

async function listen(path: string, control: UploadControl, session: NamedSession, platform: CliContext['platform']) {
  const server = createServer((socket) => {
    // Neither open nor future control connections keep the process alive.
    socket.unref();
    void answer(socket, control, session);
  });
  server.unref();
  server.listen(path);
  await once(server, 'listening');
  server.on('error', () => {});
  if (platform !== 'win32') await chmod(path, 0o600);
  // Closing removes the socket's file at once.
  return () => void server.close();
}

async function answer(socket: Socket, control: UploadControl, session: NamedSession): Promise<void> {
  try {
    applyRequest(checkRequest(await exchangeLine(socket)), control);
    sendLine(socket, stateOf(control, session));
  } catch (error) {
    sendLine(socket, { error: (error as Error).message });
  }
  socket.end();
}

function applyRequest(request: ControlRequest, control: UploadControl): void {
  if (request.do === 'pause') control.pause();
  if (request.do === 'continue') control.resume();
  if (request.do === 'limit') control.bytesPerSecond = request.bytesPerSecond ?? undefined;
}

function stateOf({ paused, bytesPerSecond }: UploadControl, { sessionId, fileName }: NamedSession): ControlState {
  return { sessionId, fileName, paused, bytesPerSecond: bytesPerSecond ?? null };
}
