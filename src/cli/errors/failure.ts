import type * as wire from '../../contract/wire.ts';

/** What was being worked on when something failed; makes the difference between "resume" and a command to paste. */
export interface Subject {
  readonly sessionId?: string;
  readonly session?: wire.Session;
  /** Absolute. */
  readonly path?: string;
  /** Only where the person named one. */
  readonly key?: string;
  readonly keyTemplate?: string;
}

/** Carries the subject of an error up to where errors are told to people. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly subject: Subject;

  constructor(cause: unknown, subject: Subject) {
    super('a command failed', { cause });
    this.subject = subject;
  }
}

/** Runs `work`; what it throws is about `subject`. An error that says more precisely what it is about keeps that. */
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
