import { z } from 'zod';
import { parseDuration } from '../../text/duration.ts';
import { Secret } from '../core/secret.ts';
import { describeRange, SETTINGS, type SettingName, type SettingWith } from './settings-table.ts';

/*
 * Zod schemas for the values of settings. Each takes the name of a setting, and its default and range from the table.
 */

/** Explains a missing or empty setting by its meaning in the table. */
function meaningOf(name: SettingName): string {
  const [first = '', ...rest] = SETTINGS[name].meaning;
  return first.toLowerCase() + rest.join('');
}

const needed = (name: SettingName) => ({
  error: (issue: { input?: unknown }) => (issue.input === undefined ? `is not set (${meaningOf(name)})` : undefined),
});

export const text = (name: SettingName) => z.string(needed(name)).min(1, `is empty (${meaningOf(name)})`);

export const textOr = (name: SettingWith<{ default: string }>) => text(name).prefault(SETTINGS[name].default);

export const secret = (name: SettingWith<{ isSecret: true }>) => text(name).transform((value) => new Secret(value));

export const url = (name: SettingName) =>
  z
    .url({
      protocol: /^https?$/,
      hostname: /./,
      // Not quoted: it may hold a password.
      error: ({ input }) =>
        input === undefined
          ? `is not set (${meaningOf(name)})`
          : 'must be an http:// or https:// URL, such as http://127.0.0.1:9000',
      abort: true,
    })
    .transform((value) => value.replace(/\/+$/, ''));

/** Parses a duration to milliseconds. */
export function duration(name: SettingWith<{ default: string; range: { duration: readonly [string, string] } }>) {
  const { default: fallback, range } = SETTINGS[name];
  const [min, max] = range.duration.map((bound) => parseDuration(bound) ?? Number.NaN) as [number, number];
  return z
    .string()
    .prefault(fallback)
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== undefined && ms >= min && ms <= max) return ms;
      const [from, to] = range.duration;
      context.addIssue({
        code: 'custom',
        message: `is "${value}"; it must be a duration from ${from} to ${to}, such as ${fallback}`,
      });
      return z.NEVER;
    });
}

/** Digits only: Number('') is 0, and port 0 is any free port. */
const DIGITS = /^\d{1,10}$/;

export function port(name: 'PARTWAY_PORT') {
  const { default: fallback, range } = SETTINGS[name];
  const [min, max] = range.number;
  return z
    .string()
    .refine((value) => isBetween(value, min, max), {
      error: ({ input }) => `is "${input}"; it must be a port number, from ${min} to ${max}`,
    })
    .transform(Number)
    .prefault(fallback);
}

/** Parses a number; `off` is null. */
export function numberOrOff(name: SettingWith<{ default: string; range: { numberOrOff: readonly [number, number] } }>) {
  const { default: fallback, range } = SETTINGS[name];
  const [min, max] = range.numberOrOff;
  return z
    .string()
    .refine((value) => value === 'off' || isBetween(value, min, max), `must be a number from ${describeRange(range)}`)
    .transform((value) => (value === 'off' ? null : Number(value)))
    .prefault(fallback);
}

function isBetween(digits: string, min: number, max: number): boolean {
  return DIGITS.test(digits) && Number(digits) >= min && Number(digits) <= max;
}

export function oneOf<Value extends string>({
  default: fallback,
  range,
}: {
  readonly default: NoInfer<Value>;
  readonly range: { readonly oneOf: readonly [Value, Value, ...Value[]] };
}) {
  return z.enum(range.oneOf, `must be ${describeRange(range)}`).default(fallback as never);
}

/** Parses a comma-separated list; nothing is an empty one. */
export function list<Item>(parse: (text: string) => readonly Item[]) {
  return z
    .string()
    .default('')
    .transform((value, context) => {
      try {
        return parse(value);
      } catch (error) {
        context.addIssue({ code: 'custom', message: `holds a fault: ${error instanceof Error ? error.message : error}` });
        return z.NEVER;
      }
    });
}
