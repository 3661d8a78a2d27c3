/** SQL with `@names` for parameters, and the types of its parameters and rows. */
export interface Sql<Parameters extends object, Row> {
  readonly text: string;
  /** `by-values`: the best plan depends on the values, so PostgreSQL plans the statement each time. SQLite plans every statement once. */
  readonly planned: 'once' | 'by-values';
  /** Carries the types for the compiler only. */
  readonly types?: readonly [Parameters, Row];
}

export function sql<Parameters extends object, Row = unknown>(text: string): Sql<Parameters, Row> {
  return { text, planned: 'once' };
}

export function sqlPlannedByValues<Parameters extends object, Row = unknown>(text: string): Sql<Parameters, Row> {
  return { text, planned: 'by-values' };
}

// biome-ignore lint/suspicious/noExplicitAny: any parameters and rows
export type SqlTable = Readonly<Record<string, Sql<any, any>>>;

/** A statement of either database, ready to run on its own. */
export interface Runnable<Parameters extends object, Row> {
  all(parameters: Parameters): Promise<Row[]>;
  first(parameters: Parameters): Promise<Row | undefined>;
  /** Runs a statement that writes; returns the number of rows that it changed. */
  run(parameters: Parameters): Promise<number>;
}

export type Runnables<Table extends SqlTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Sql<infer Parameters, infer Row> ? Runnable<Parameters, Row> : never;
};

/** Maps each entry of a table of statements. The caller states the type of the result, which depends on each entry's. */
export function mapTable<From, To>(table: Readonly<Record<string, From>>, map: (entry: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(table).map(([name, entry]) => [name, map(entry)]));
}
