import fc from 'fast-check';

/** The subset of JSON Schema that the contract's documents use. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
}

export type Components = Readonly<Record<string, Schema>>;

/** The longest generated array or map. Longer ones test nothing more, and take longer. */
const LONGEST = 6;
const ODD_TEXT = [
  '',
  '..',
  'a/../b',
  'a\0b',
  'a\r\nb: c',
  '\u202eabc',
  '\ud800',
  '😀',
  '{date}',
  '%2e%2e',
  'x'.repeat(1_100),
  '__proto__',
];
const ODD_NUMBERS = [-1, 0, 0.5, 2 ** 31, 2 ** 53, 1e300, -0];

/** Generates mostly values that the schema allows, often at its limits, sometimes just beyond them, and rarely unrelated ones. */
export function arbitraryOf(schema: Schema, components: Components): fc.Arbitrary<unknown> {
  const valid = validFor(schema, components);
  return fc.oneof(
    { weight: 16, arbitrary: valid },
    { weight: 3, arbitrary: oddFor(schema, components) },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
}

function validFor(schema: Schema, components: Components): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return validFor(resolve(schema.$ref, components), components);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => validFor(choice, components)));
  switch (typeof schema.type === 'string' ? schema.type : schema.type?.[0]) {
    case 'string':
      return textFor(schema);
    case 'integer':
      return integerFor(schema);
    case 'number':
      return fc.double({ min: schema.minimum ?? schema.exclusiveMinimum ?? 0, max: schema.maximum ?? 1e6, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return arrayFor(schema, components);
    case 'object':
      return objectFor(schema, components);
    default:
      return fc.jsonValue();
  }
}

/** Generates the minimum half of the time, because a session with few parts has only small part numbers. */
function integerFor({ minimum = 0, maximum = 1_000 }: Schema): fc.Arbitrary<number> {
  const max = Math.min(maximum, 2 ** 31 - 1);
  return fc.oneof(fc.integer({ min: minimum, max }), fc.constant(minimum));
}

function textFor({ pattern, format, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern), { size: 'small' });
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  return fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 20), unit: 'grapheme' });
}

function arrayFor({ items = {}, minItems: minLength = 0 }: Schema, components: Components): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.array(validFor(items, components), { minLength, maxLength: minLength + 1 }),
    fc.array(arbitraryOf(items, components), { minLength, maxLength: LONGEST }),
  );
}

function objectFor(schema: Schema, components: Components): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
  const recordOf = (names: readonly string[]) =>
    fc.record(Object.fromEntries(names.map((name) => [name, arbitraryOf(properties[name] ?? {}, components)])), {
      requiredKeys: required as never[],
    });
  // The schema does not express every rule, and an object with all optional fields hardly ever satisfies the other rules.
  const known = fc.oneof(recordOf(required), recordOf(Object.keys(properties)));
  if (typeof additionalProperties !== 'object') return known;
  const names =
    propertyNames === undefined ? fc.string({ maxLength: 10 }) : (validFor(propertyNames, components) as fc.Arbitrary<string>);
  return fc.dictionary(names, arbitraryOf(additionalProperties, components), { maxKeys: LONGEST });
}

/** Generates values of the right type that the schema does not allow. */
function oddFor(schema: Schema, components: Components): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return oddFor(resolve(schema.$ref, components), components);
  if (schema.type === 'string' || schema.enum !== undefined)
    return fc.oneof(fc.constantFrom(...ODD_TEXT), fc.string({ unit: 'binary' }));
  if (schema.type === 'integer' || schema.type === 'number') {
    const { minimum = 0, maximum = 2 ** 53 - 1 } = schema;
    return fc.constantFrom(...ODD_NUMBERS, minimum - 1, minimum, maximum, maximum + 1);
  }
  if (schema.type !== 'object') return fc.jsonValue();
  return objectFor({ ...schema, required: [] }, components).chain((value) =>
    fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue(), { maxKeys: 2 }).map((more) => ({ ...(value as object), ...more })),
  );
}

function resolve(reference: string, components: Components): Schema {
  const schema = components[reference.replace('#/components/schemas/', '')];
  if (schema === undefined) throw new Error(`the document has no ${reference}`);
  return schema;
}
