import type { Dialect } from './dialect.ts';
import { eventStatements } from './event-statements.ts';
import { sessionStatements } from './session-statements.ts';
import type { Runnables } from './statement.ts';
import { TOKEN_STATEMENTS } from './token-statements.ts';
import { UPLOAD_STATEMENTS } from './upload-statements.ts';

/** The statements of both databases. Each adds those that only it has. */
export function sharedStatements(dialect: Dialect) {
  return { ...sessionStatements(dialect), ...UPLOAD_STATEMENTS, ...TOKEN_STATEMENTS, ...eventStatements(dialect) };
}

export type SharedRunnables = Runnables<ReturnType<typeof sharedStatements>>;
