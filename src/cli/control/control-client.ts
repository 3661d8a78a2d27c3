import { UploadError } from '../../session/errors.ts';
import { escapeInvisible } from '../../text/visible-text.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { about } from '../errors/failure.ts';
import { UsageError } from '../input/usage-error.ts';
import type { CliContext } from '../terminal/context.ts';
import type { ControlRequest, ControlState } from './control-line.ts';
import { type Answers, askClients } from './running-clients.ts';
import { SocketFolder } from './socket-folder.ts';

export interface ControlRequestOptions {
  readonly context: CliContext;
  /** As typed. If left out, the only session that is uploaded here. */
  readonly sessionId: string | undefined;
  readonly request: ControlRequest;
  /** The command as typed, without the session id. */
  readonly command: string;
}

/**
 * Sends a request to the client that uploads the session on this machine.
 * @throws UploadError `CLIENT_NOT_FOUND` if there is none, or it does not take the request; UsageError if several could be meant.
 */
export async function sendControlRequest({ context, sessionId, request, command }: ControlRequestOptions): Promise<ControlState> {
  const folder = new SocketFolder(context);
  const chosen = sessionId ?? onlySession(await askClients(folder, { do: 'show' }), command);
  return about({ sessionId: chosen }, async () => {
    const answers = await askClients(folder, request, chosen);
    return answers.states[0] ?? throwNoClient(answers, chosen);
  });
}

/** Refuses a session that is paused in another client: a second one would take it over, and nothing would show why. */
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
  if (first === undefined) return throwNoClient(answers);
  if (sessions.size === 1) return first;
  const [verb, ...rest] = command.split(' ');
  const commands = [...sessions.values()].map(
    ({ sessionId, fileName }) => `  ${['partway', verb, sessionId, ...rest].join(' ')}   ${escapeInvisible(fileName)}`,
  );
  throw new UsageError(`${sessions.size} uploads run on this machine.`, ['Say which:', ...commands].join('\n  '));
}

function throwNoClient({ failures: [failure] }: Answers, sessionId?: string): never {
  const what = sessionId === undefined ? '' : ` session ${sessionId}`;
  if (failure !== undefined) {
    throw new UploadError(
      'CLIENT_NOT_FOUND',
      `A client uploads${what} on this machine, but it did not take the request: ${failure}.`,
    );
  }
  throw new UploadError('CLIENT_NOT_FOUND', `No client on this machine uploads${what || ' anything'}.`, {
    hint: 'To see the sessions: partway list. To go on with one: partway resume SESSION_ID',
  });
}

/** Prints the state that a client answered with. `say` gets the name that people know the upload by. */
export function printControl(
  { stdout }: CliContext,
  json: boolean,
  state: ControlState,
  say: (name: string) => readonly string[],
): ExitCode {
  const lines = json ? [JSON.stringify({ type: 'control', ...state })] : say(`${state.fileName} (${state.sessionId})`);
  for (const line of lines) stdout.line(line);
  return EXIT.ok;
}
