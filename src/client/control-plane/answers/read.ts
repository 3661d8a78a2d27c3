/**
 * An impossible value in an answer of the server. Not an UploadError yet: the call that asked knows which server it was.
 * `isForeign` is true where not a single field is one of ours: another program answered.
 */
export class InvalidAnswer extends Error {
  override readonly name = 'InvalidAnswer';
  readonly isForeign: boolean;

  constructor(message: string, isForeign = false) {
    super(message);
    this.isForeign = isForeign;
  }
}

/** Checks one value of an answer and gives it its type. @throws InvalidAnswer naming the field. */
export type Read<T> = (value: unknown, field: string) => T;

export function text(most: number, pattern?: RegExp): Read<string> {
  return (value, field) => {
    if (typeof value !== 'string') throw isNot('text', value, field);
    if (value.length > most) throw new InvalidAnswer(`"${field}" has ${value.length} characters, more than ${most}`);
    if (pattern !== undefined && !pattern.test(value)) throw isNot('what it may be', value, field);
    return value;
  };
}

export function integer(least: number, most: number): Read<number> {
  return (value, field) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw isNot(`a whole number from ${least} to ${most}`, value, field);
  };
}

/** A measured quantity. JSON has neither NaN nor Infinity, but `1e999` is read as one. */
export const quantity: Read<number> = (value, field) => {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw isNot('a number from 0', value, field);
};

export const flag: Read<boolean> = (value, field) => {
  if (typeof value === 'boolean') return value;
  throw isNot('true or false', value, field);
};

export const instant: Read<string> = (value, field) => {
  const iso = text(40)(value, field);
  if (/^\d{4}-\d\d-\d\dT/.test(iso) && !Number.isNaN(Date.parse(iso))) return iso;
  throw isNot('an instant', value, field);
};

export function oneOf<T extends string>(values: readonly T[]): Read<T> {
  return (value, field) => {
    if (values.includes(value as T)) return value as T;
    throw isNot(`one of ${values.join(', ')}`, value, field);
  };
}

export function nullable<T>(read: Read<T>): Read<T | null> {
  return (value, field) => (value === null ? null : read(value, field));
}

export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value, field) => (value === undefined ? undefined : read(value, field));
}

export function list<T>(read: Read<T>, most: number): Read<T[]> {
  return (value, field) => {
    if (!Array.isArray(value)) throw isNot('a list', value, field);
    if (value.length > most) throw new InvalidAnswer(`"${field}" has ${value.length} entries, more than ${most}`);
    return value.map((item, index) => read(item, `${field}[${index}]`));
  };
}

export function record<T>(read: Read<T>, most: number): Read<Record<string, T>> {
  return (value, field) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw isNot('an object', value, field);
    const names = Object.keys(value);
    if (names.length > most) throw new InvalidAnswer(`"${field}" has ${names.length} entries, more than ${most}`);
    for (const name of names) read((value as Record<string, unknown>)[name], `${field}.${name}`);
    return value as Record<string, T>;
  };
}

/** Fields of newer servers, which this version does not know, stay as they are. */
export function object<T extends object>(fields: { readonly [Name in keyof T]-?: Read<T[Name]> }): Read<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, field) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw isNot('an object', value, field);
    const given = value as Partial<Record<keyof T, unknown>>;
    if (field === '' && !names.some((name) => given[name] !== undefined))
      throw new InvalidAnswer('no field is one of a partway server', true);
    for (const name of names) fields[name](given[name], field === '' ? name : `${field}.${name}`);
    return value as T;
  };
}

/** Reads a value, and then checks how its fields fit together: `find` describes what does not. */
export function consistent<T>(read: Read<T>, find: (value: T) => string | undefined): Read<T> {
  return (value, field) => {
    const typed = read(value, field);
    const fault = find(typed);
    if (fault !== undefined) throw new InvalidAnswer(field === '' ? fault : `"${field}": ${fault}`);
    return typed;
  };
}

const SHOWN_CHARACTERS = 40;

function isNot(expected: string, value: unknown, field: string): InvalidAnswer {
  const shown = value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value));
  const short = shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown;
  return new InvalidAnswer(`"${field || 'the answer'}" must be ${expected}, and is ${short}`);
}
