/** SQL with named parameters; `Row` is the type of its rows. */
export interface Statement<Parameters extends object, Row> {
  /** Name of the prepared statement on each connection. A statement without a name is planned again each time. */
  readonly name: string | undefined;
  readonly text: string;
  values(parameters: Parameters): unknown[];
  /** Carries the type for the compiler only. */
  readonly row?: Row;
}

let prepared = 0;

/** Makes a prepared statement. Parameters in `sql` are `@names`, as in SQLite, and become PostgreSQL's numbers. */
export function statement<Parameters extends object, Row = unknown>(sql: string): Statement<Parameters, Row> {
  prepared += 1;
  return { ...unpreparedStatement<Parameters, Row>(sql), name: `partway_${prepared}` };
}

/** Makes a statement whose best plan depends on its values: planning each time costs less than a general plan may. */
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

/** Refuses a missing parameter, which the driver would take for NULL. */
function toValue(value: unknown, name: string): unknown {
  if (value === undefined) throw new RangeError(`the parameter ${name} is missing`);
  return Array.isArray(value) ? value.map(toStorable) : toStorable(value);
}

/**
 * Replaces NUL, which PostgreSQL cannot store in a text, by U+FFFD, as UTF-8 does with halves of surrogate pairs. Keys and names never hold
 * NUL (they are checked). If a client sends it in an id, nothing is found, as it should be.
 */
function toStorable(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\ufffd') : value;
}
