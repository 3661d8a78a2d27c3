import { UploadError } from '../../session/errors.ts';
import { escapeInvisible } from '../../text/visible-text.ts';
import { about } from '../errors/failure.ts';
import { UsageError } from '../input/usage-error.ts';
import type { CliContext } from '../terminal/context.ts';
import type { ControlRequest, ControlState } from './control-line.ts';
import { type Answers, askClients } from './running-clients.ts';
import { SocketFolder } from './socket-folder.ts';

export interface ControlRequestOptions {
  readonly context: CliContext;
  /** As typed. Undefined stands for the only upload on this host. */
  readonly sessionId: string | undefined;
  readonly request: ControlRequest;
  /** The command as it would be typed, without the session id. */
  readonly command: string;
}

/** Sends a request to the client that uploads a session on this host, or to the only client. @throws where there is none, or it does not answer. */
export async function sendControlRequest({ context, sessionId, request, command }: ControlRequestOptions): Promise<ControlState> {
  const folder = new SocketFolder(context);
  const chosen = sessionId ?? onlySession(await askClients(folder, { do: 'show' }), command);
  return about({ sessionId: chosen }, async () => {
    const answers = await askClients(folder, request, chosen);
    return answers.states[0] ?? throwNobody(`session ${chosen}`, answers);
  });
}

/** Refuses a paused session: a second client would take it from the client that waits to be continued, without a visible reason. */
export async function refuseWherePaused(context: CliContext, sessionId: string): Promise<void> {
  const { states } = await askClients(new SocketFolder(context), { do: 'show' }, sessionId);
  if (!states.some(({ paused }) => paused)) return;
  throw new UsageError(
    `Session ${sessionId} is being uploaded by another partway on this machine, and paused.`,
    `To let it go on:  partway continue ${sessionId}`,
  );
}

function onlySession(answers: Answers, command: string): string {
  const sessions = new Map(answers.states.map((state) => [state.sessionId, state]));
  const [first] = sessions.keys();
  if (first === undefined) return throwNobody('anything', answers);
  if (sessions.size === 1) return first;
  const [verb, ...rest] = command.split(' ');
  const commands = [...sessions.values()].map(
    ({ sessionId, fileName }) => `  ${['partway', verb, sessionId, ...rest].join(' ')}   ${escapeInvisible(fileName)}`,
  );
  throw new UsageError(`${sessions.size} uploads run on this machine.`, ['Say which:', ...commands].join('\n  '));
}

function throwNobody(what: string, { failures: [failure] }: Answers): never {
  if (failure !== undefined) {
    throw new UploadError('CLIENT_NOT_FOUND', `A client uploads ${what} here, but does not do what it is asked: ${failure}.`);
  }
  throw new UploadError('CLIENT_NOT_FOUND', `No client on this machine uploads ${what}.`, {
    hint: 'To see the sessions: partway list. To go on with one: partway resume SESSION_ID',
  });
}
