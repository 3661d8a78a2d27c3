/** SQL with named parameters. `Row` is what it answers. */
export interface Statement<Parameters extends object, Row> {
  /** PostgreSQL keeps prepared statements by name, on each connection. One without a name is planned anew each time. */
  readonly name: string | undefined;
  readonly text: string;
  values(parameters: Parameters): unknown[];
  /** For the compiler alone. */
  readonly row?: Row;
}

let prepared = 0;

/** Prepared. PostgreSQL numbers its parameters; in `sql` they are `@names`, as in the statements of SQLite. */
export function statement<Parameters extends object, Row = unknown>(sql: string): Statement<Parameters, Row> {
  prepared += 1;
  return { ...unpreparedStatement<Parameters, Row>(sql), name: `partway_${prepared}` };
}

/** For which the best plan depends on the values: planning costs less than a plan for any values may. */
export function unpreparedStatement<Parameters extends object, Row = unknown>(sql: string): Statement<Parameters, Row> {
  const names: string[] = [];
  const text = sql.replaceAll(/@(\w+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  return {
    name: undefined,
    text,
    values(parameters) {
      return names.map((name) => toValue((parameters as Readonly<Record<string, unknown>>)[name], name));
    },
  };
}

/** The driver would take what is left out for NULL. */
function toValue(value: unknown, name: string): unknown {
  if (value === undefined) throw new RangeError(`the parameter ${name} is missing`);
  return Array.isArray(value) ? value.map(toStorable) : toStorable(value);
}

/**
 * PostgreSQL has no place for NUL in a text. Like halves of surrogate pairs, which UTF-8 has no place for, it becomes U+FFFD. Keys and
 * names never hold it (they are checked); where a client sends it as an id, nothing is found, as it should be.
 */
function toStorable(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\ufffd') : value;
}
