/** A list of texts as the database takes it for one parameter: JSON or an array. */
export type ListParameter = string | readonly string[];

/** The differences between the two databases that shared statements have to know. */
export interface Dialect {
  /** The greater of two expressions, neither of which is NULL. */
  greatest(a: string, b: string): string;
  /** The lesser of two expressions, neither of which is NULL. */
  least(a: string, b: string): string;
  /** The sum of a column as a floating-point number, 0 without rows: the sum of declared sizes may exceed 64 bits. */
  total(column: string): string;
  /** Whether the column is one of the texts of a parameter that `toList` made. */
  inList(column: string, parameter: string): string;
  startsWith(column: string, prefix: string): string;
  /** The table of events, with its index of pending ones if the database needs that hint. */
  readonly dueEvents: string;

  toList(texts: readonly string[]): ListParameter;
  /** SQLite has no booleans. */
  toFlag(value: boolean): boolean | 0 | 1;
}
