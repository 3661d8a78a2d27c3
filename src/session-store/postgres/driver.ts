import { type ClientBase, type CustomTypesConfig, Pool, type PoolClient, type QueryConfig, types } from 'pg';
import { PatientSocket } from '../../outbound/patient-socket.ts';
import { SessionStoreUnavailable } from '../port/session-store.ts';
import { explainPostgresError, isWorthAnotherTry } from './errors.ts';
import type { Statement } from './statement.ts';

const BIGINT_OID = types.builtins.INT8;
/** Sizes, instants and counts are at most 2^53 - 1 (CHECKs, and sums of what they let in). */
const TYPES: CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === BIGINT_OID ? Number : types.getTypeParser(oid, format)),
};

/** What every connection has in common. What the URL says comes before these. */
export function connectionOptions(url: string) {
  const stream = () => new PatientSocket();
  return { connectionString: url, application_name: 'partway', types: TYPES, keepAlive: true, stream } as const;
}

const POOL_OPTIONS = {
  // Statements take milliseconds: ten at a time keep several cores busy, and ten replicas stay below PostgreSQL's usual 100.
  max: 10,
  idleTimeoutMillis: 30_000,
  // For a free connection, or a new one. Whoever waits longer hears that the database is away, and tries again.
  connectionTimeoutMillis: 5_000,
  // The longest statement records a listing of 10,000 parts, in a fraction of a second.
  statement_timeout: 20_000,
  // The same on our side, for a network that swallows the answer.
  query_timeout: 25_000,
  // A server that stands still in the midst of a transaction does not keep its locks from the others.
  idle_in_transaction_session_timeout: 10_000,
} as const;

/** A deadlock is broken after a second by PostgreSQL's default; one of the two goes on at once. */
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
  /** The transaction ends with this result, and without having changed anything. */
  undo<Result>(result: Result): Result;
}

/**
 * A pool of connections. One that breaks is dropped, and the next call makes another: there is nothing to repair after an outage.
 * Errors are SessionStoreUnavailable or PostgresRefusal, and name no password.
 */
export class PostgresDatabase implements Queries {
  readonly #pool: Pool;
  #closed: Promise<void> | undefined;

  constructor(url: string) {
    this.#pool = new Pool({ ...connectionOptions(url), ...POOL_OPTIONS });
    // An idle connection broke, and the pool has dropped it. Without a listener it would end the process.
    this.#pool.on('error', () => {});
    // The same for one that breaks in the instant in which it is ready: the pool no longer listens, and whoever waits not yet. The
    // next statement tells.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** One statement, which is a transaction of its own. */
  run<Parameters extends object, Row>(statement: Statement<Parameters, Row>, parameters: NoInfer<Parameters>) {
    return trying(() => this.#connected((client) => queriesOf(client).run(statement, parameters)));
  }

  /** `work` may run more than once: what it changes outside of the database must not matter. */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return trying(() => this.#connected((client) => transact(client, work)));
  }

  /** Waits for what is under way. Idempotent. */
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
      // Also after a time limit, ours or the server's: what comes late must not be taken for the next answer.
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

/** READ COMMITTED, whatever the database's default: each statement sees what was committed before it, also while a lock is held. */
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
    // With its connection a transaction is gone, too.
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
