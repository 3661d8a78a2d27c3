import { DatabaseError } from 'pg';
import { describeRefusedCertificate, serverAdviceAbout } from '../../outbound/certificate-refusal.ts';
import { refusedCertificate } from '../../outbound/connection-errors.ts';
import { isProgrammingError } from '../../session/errors.ts';
import { SessionStoreUnavailable, type Unavailability } from '../port/unavailable.ts';

/** The codes are in PostgreSQL's documentation, appendix A. */
const UNIQUE_VIOLATION = '23505';
/** Serialization failure and deadlock: the transaction was rolled back, and another attempt may well succeed. */
const WORTH_ANOTHER_TRY = ['40001', '40P01'];
/**
 * Codes for temporary errors: a full disk (53100), a failing disk (58030), a standby or a database that is read-only (25006), connection
 * exceptions (08), out of connections or memory (53), shutdown and start (57P), a lock or a statement that took too long (55P03, 57014).
 */
const TEMPORARY: readonly (readonly [RegExp, Unavailability])[] = [
  [/^53100/, 'full'],
  [/^58030/, 'disk-error'],
  [/^25006/, 'read-only'],
  [/^(?:08|53|57P|55P03|57014)/, 'away'],
];

/** A refusal by PostgreSQL, without its `detail`, which quotes whole rows. It may be logged. */
export class PostgresRefusal extends Error {
  override readonly name = 'PostgresRefusal';
  readonly code: string | undefined;
  readonly constraint: string | undefined;

  constructor({ message, code, constraint }: DatabaseError) {
    super(`PostgreSQL refused: ${message} (${code ?? 'no code'})`);
    this.code = code;
    this.constraint = constraint;
  }
}

/** Turns an error of the driver into PostgresRefusal or SessionStoreUnavailable; returns other errors, such as bugs, as they are. */
export function explainPostgresError(error: unknown): unknown {
  if (error instanceof DatabaseError) {
    const reason = TEMPORARY.find(([codes]) => codes.test(error.code ?? ''))?.[1];
    if (reason === undefined) return new PostgresRefusal(error);
    return new SessionStoreUnavailable(`PostgreSQL cannot serve now: ${error.message} (${error.code}).`, reason);
  }
  // Only the driver's calls come here, so any other error than a bug is one of the connection.
  if (!(error instanceof Error) || isProgrammingError(error)) return error;
  // Node's error has no message if a host has several addresses and none answers.
  const { code } = error as NodeJS.ErrnoException;
  const reason = error.message || code || error.name;
  const certificate = refusedCertificate(error);
  if (certificate === undefined) return new SessionStoreUnavailable(`PostgreSQL cannot be reached: ${reason}.`);
  return new SessionStoreUnavailable(
    `PostgreSQL cannot be reached: its certificate is not trusted: ${describeRefusedCertificate(certificate)} (${certificate}). ${serverAdviceAbout(certificate)}.`,
  );
}

export function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof PostgresRefusal && WORTH_ANOTHER_TRY.includes(error.code ?? '');
}

export function isUniqueViolation(error: unknown, ...constraints: string[]): boolean {
  return error instanceof PostgresRefusal && error.code === UNIQUE_VIOLATION && constraints.includes(error.constraint ?? '');
}
