import type { Sql } from '../sql/statement.ts';

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

/**
 * Numbers the parameters, as PostgreSQL does, and names the statement so that it is prepared. A statement whose best plan depends on its
 * values gets no name: planning each time costs less than a general plan may.
 */
export function statement<Parameters extends object, Row>({ text, planned }: Sql<Parameters, Row>): Statement<Parameters, Row> {
  if (planned === 'once') prepared += 1;
  const names: string[] = [];
  const numbered = text.replaceAll(/@(\w+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  return {
    name: planned === 'once' ? `partway_${prepared}` : undefined,
    text: numbered,
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
