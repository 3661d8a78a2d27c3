import { type ClientBase, type CustomTypesConfig, Pool, type PoolClient, type QueryConfig, types } from 'pg';
import { PatientSocket } from '../../outbound/patient-socket.ts';
import { SessionStoreUnavailable } from '../port/unavailable.ts';
import { explainPostgresError, isWorthAnotherTry } from './errors.ts';
import type { Statement } from './statement.ts';

const BIGINT_OID = types.builtins.INT8;
/** Reads BIGINT as a number: sizes, instants and counts are at most 2^53 - 1, by CHECKs and by their sums. */
const TYPES: CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === BIGINT_OID ? Number : types.getTypeParser(oid, format)),
};

/** Options of every connection. Those in the URL take precedence. */
export function connectionOptions(url: string) {
  const stream = () => new PatientSocket();
  return { connectionString: url, application_name: 'partway', types: TYPES, keepAlive: true, stream } as const;
}

const POOL_OPTIONS = {
  // Statements take milliseconds: ten at a time keep several cores busy, and ten replicas stay below PostgreSQL's usual 100.
  max: 10,
  idleTimeoutMillis: 30_000,
  // Longest wait for a connection. A call that waits longer fails as `away`, and its client tries again.
  connectionTimeoutMillis: 5_000,
  // The longest statement records a listing of 10,000 parts, in a fraction of a second.
  statement_timeout: 20_000,
  // The same limit on our side, for a network that loses the answer.
  query_timeout: 25_000,
  // A server that hangs during a transaction must not keep its locks from the others.
  idle_in_transaction_session_timeout: 10_000,
} as const;

/** Attempts after a deadlock, which PostgreSQL breaks after a second by default; one of the two continues at once. */
const TRIES = 5;

export interface Answer<Row> {
  readonly rows: Row[];
  /** Rows that were inserted, updated or deleted. */
  readonly changes: number;
}

export interface Queries {
  run<Parameters extends object, Row>(
    statement: Statement<Parameters, Row>,
    parameters: NoInfer<Parameters>,
  ): Promise<Answer<Row>>;
}

export interface Transaction extends Queries {
  /** Ends the transaction with this result, and without any change. */
  undo<Result>(result: Result): Result;
}

/**
 * A pool of connections. A broken connection is dropped, and the next call opens another: there is nothing to repair after an outage.
 * Errors are SessionStoreUnavailable or PostgresRefusal, and contain no password.
 */
export class PostgresDatabase implements Queries {
  readonly #pool: Pool;
  #closed: Promise<void> | undefined;

  constructor(url: string) {
    this.#pool = new Pool({ ...connectionOptions(url), ...POOL_OPTIONS });
    // For an idle connection that breaks: the pool has dropped it, but without a listener the error would end the process.
    this.#pool.on('error', () => {});
    // For a connection that breaks at the moment when it becomes ready: the pool no longer listens, and the caller not yet. The next
    // statement reports it.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** Runs one statement, which is a transaction of its own. */
  run<Parameters extends object, Row>(statement: Statement<Parameters, Row>, parameters: NoInfer<Parameters>) {
    return trying(() => this.#connected((client) => queriesOf(client).run(statement, parameters)));
  }

  /** Runs `work` in a transaction. It may run more than once, so it must not change anything outside the database. */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return trying(() => this.#connected((client) => transact(client, work)));
  }

  /** Closes the pool after the calls in progress. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    return this.#closed;
  }

  async #connected<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw explainPostgresError(error);
    });
    let broken: Error | undefined;
    const noteBroken = (error: Error) => {
      broken = error;
    };
    client.on('error', noteBroken);
    try {
      return await work(client);
    } catch (error) {
      // Also after a time limit, ours or the server's: a late answer must not be taken for the next one.
      if (error instanceof SessionStoreUnavailable) broken ??= error;
      throw error;
    } finally {
      client.off('error', noteBroken);
      client.release(broken);
    }
  }
}

async function trying<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries >= TRIES || !isWorthAnotherTry(error)) throw error;
    }
  }
}

/** Uses READ COMMITTED, whatever the database's default: each statement sees what was committed before it, even while a lock is held. */
async function transact<Result>(client: ClientBase, work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
  let undone = false;
  const undo = <Value>(value: Value): Value => {
    undone = true;
    return value;
  };
  await ask(client, 'BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    const result = await work({ ...queriesOf(client), undo });
    await ask(client, undone ? 'ROLLBACK' : 'COMMIT');
    return result;
  } catch (error) {
    // Without its connection, a transaction is gone as well.
    if (!(error instanceof SessionStoreUnavailable)) await ask(client, 'ROLLBACK');
    throw error;
  }
}

function queriesOf(client: ClientBase): Queries {
  return {
    async run(statement, parameters) {
      const { name, text } = statement;
      const values = statement.values(parameters);
      const { rows, rowCount } = await ask(client, name === undefined ? { text, values } : { name, text, values });
      return { rows, changes: rowCount ?? 0 };
    },
  };
}

async function ask(client: ClientBase, query: string | QueryConfig) {
  try {
    return await client.query(query);
  } catch (error) {
    throw explainPostgresError(error);
  }
}
