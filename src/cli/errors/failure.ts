import type * as wire from '../../contract/wire.ts';

/** The session and file that a command was working on. With it, an error shows a command to paste instead of just "resume". */
export interface Subject {
  readonly sessionId?: string;
  readonly session?: wire.Session;
  /** Absolute. */
  readonly path?: string;
  /** Only if the person named one. */
  readonly key?: string;
  readonly keyTemplate?: string;
}

/** Carries the subject of an error up to where errors are explained. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly subject: Subject;

  constructor(cause: unknown, subject: Subject) {
    super('a command failed', { cause });
    this.subject = subject;
  }
}

/** Runs `work` and adds `subject` to the error it throws. An error with a more precise subject keeps it. */
export async function about<T>(subject: Subject, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.cause, { ...subject, ...error.subject }) : new Failure(error, subject);
  }
}

export function unwrapFailure(thrown: unknown): { error: unknown; subject: Subject } {
  return thrown instanceof Failure ? { error: thrown.cause, subject: thrown.subject } : { error: thrown, subject: {} };
}
