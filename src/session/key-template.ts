import { UploadError } from './errors.ts';
import type { Instant } from './session.ts';

/** Placeholders of key templates. `date` is the UTC day on which the session is created, as 2026-11-25. */
export const PLACEHOLDERS = ['date', 'sessionId', 'fileName', 'owner'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

/** Placeholders that differ each time the same file is created, so they cannot help to find its session again. */
const VARYING: ReadonlySet<string> = new Set<Placeholder>(['date', 'sessionId']);

export interface KeyParts {
  readonly at: Instant;
  readonly sessionId: string;
  readonly fileName: string;
  readonly owner: string;
}

export interface ChosenKey {
  readonly key: string;
  /** The same each time the same file is created with the same template. */
  readonly keyRequest: string;
}

/**
 * Fills the template in, and puts the key below `prefix` unless it is there already. If the template has varying placeholders, the key
 * request is `//` (no key starts like that) followed by the template with only the other placeholders filled in.
 * @throws UploadError `INVALID_KEY` for an unknown placeholder.
 */
export function keyFromTemplate(template: string, prefix: string, parts: KeyParts): ChosenKey {
  checkKeyTemplate(template);
  const { at, ...texts } = parts;
  const values: Record<string, string> = { ...texts, date: new Date(at).toISOString().slice(0, 10) };
  const key = below(prefix, render(template, values));
  const varies = namesIn(template).some((name) => VARYING.has(name));
  if (!varies) return { key, keyRequest: key };
  const stable = Object.fromEntries(Object.entries(values).filter(([name]) => !VARYING.has(name)));
  return { key, keyRequest: `//${below(prefix, render(template, stable))}` };
}

export function isKeyTemplate(template: string): boolean {
  return unknownIn(template) === undefined;
}

function checkKeyTemplate(template: string): void {
  const unknown = unknownIn(template);
  if (unknown === undefined) return;
  const known = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
  throw new UploadError('INVALID_KEY', `A key template cannot hold {${unknown}}.`, { hint: `It may hold ${known}.` });
}

function unknownIn(template: string): string | undefined {
  return namesIn(template).find((name) => !(PLACEHOLDERS as readonly string[]).includes(name));
}

function namesIn(template: string): string[] {
  return [...template.matchAll(/\{(\w*)\}/g)].map(([, name = '']) => name);
}

/** Replaces in one pass, so that braces in a file name stay as they are. */
function render(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w*)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

function below(prefix: string, key: string): string {
  return key.startsWith(prefix) ? key : `${prefix}${key}`;
}
