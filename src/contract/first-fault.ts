import { z } from 'zod';

/*
 * Schemas of lists and records whose check stops at the first wrong entry. Zod's own collect every fault: 130,000 of them took
 * seconds of the server's only thread and ended in a RangeError. Entries are checked synchronously.
 */

type Payload = z.core.ParsePayload;

/** Clones of a schema keep its definition, and with it the length. */
interface FirstFaultArrayDef extends z.core.$ZodArrayDef {
  readonly most: number;
}

const FirstFaultArray = z.core.$constructor('FirstFaultArray', (inst: z.ZodArray, def: FirstFaultArrayDef) => {
  z.ZodArray.init(inst, def);
  const { parse } = inst._zod;
  inst._zod.parse = (payload, context) => {
    const items = payload.value as unknown;
    // Zod refuses a value that is not a list, or is too long, before it looks at an item.
    if (!Array.isArray(items) || items.length > def.most) return parse(payload, context);
    const output: unknown[] = [];
    const atOnce = { ...context, async: false };
    for (const [index, item] of items.entries()) {
      const { value, issues } = def.element._zod.run({ value: item, issues: [] }, atOnce) as Payload;
      if (issues.length > 0) return withIssues(payload, z.core.util.prefixIssues(index, issues));
      output.push(value);
    }
    return Object.assign(payload, { value: output });
  };
});

const FirstFaultRecord = z.core.$constructor('FirstFaultRecord', (inst: z.ZodRecord, def: z.core.$ZodRecordDef) => {
  z.ZodRecord.init(inst, def);
  const { parse } = inst._zod;
  inst._zod.parse = (payload, context) => {
    if (!z.core.util.isPlainObject(payload.value)) return parse(payload, context);
    const output = {};
    const atOnce = { ...context, async: false };
    for (const [name, entry] of Object.entries(payload.value)) {
      const { value, issues } = parse({ value: { [name]: entry }, issues: [] }, atOnce) as Payload;
      if (issues.length > 0) return withIssues(payload, issues);
      Object.assign(output, value);
    }
    return Object.assign(payload, { value: output });
  };
});

/** An array of at most `most` items. Its check stops at the first wrong item, and looks at none if there are too many. */
export function firstFaultArray<Item extends z.ZodType>(element: Item, most: number): z.ZodArray<Item> {
  return (new FirstFaultArray({ type: 'array', element, most }) as unknown as z.ZodArray<Item>).max(most);
}

/** A record whose check stops at its first wrong entry. */
export function firstFaultRecord<Name extends z.ZodString, Value extends z.ZodType>(
  keyType: Name,
  valueType: Value,
): z.ZodRecord<Name, Value> {
  return new FirstFaultRecord({ type: 'record', keyType, valueType }) as unknown as z.ZodRecord<Name, Value>;
}

/** Skips further checks, which would see an unchecked value. */
function withIssues(payload: Payload, issues: readonly z.core.$ZodRawIssue[]): Payload {
  payload.issues.push(...issues.map((issue) => ({ ...issue, continue: false })));
  return payload;
}
