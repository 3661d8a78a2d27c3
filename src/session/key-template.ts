import { UploadError } from './errors.ts';
import type { Instant } from './session.ts';

/** What a template may name. `date` is the UTC day of the create, as 2026-11-25. */
export const PLACEHOLDERS = ['date', 'sessionId', 'fileName', 'owner'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

/** They differ from one create of the same file to the next, so they cannot be what finds its session again. */
const VARYING: ReadonlySet<string> = new Set<Placeholder>(['date', 'sessionId']);

export interface KeyParts {
  readonly at: Instant;
  readonly sessionId: string;
  readonly fileName: string;
  readonly owner: string;
}

export interface ChosenKey {
  readonly key: string;
  /** Equal for every create of the same file by the same template. */
  readonly keyRequest: string;
}

/**
 * The object key that a template makes, below `prefix` unless it is there already. Where the template varies, the key
 * request is `//` (no key starts so) and the template with the rest filled in.
 * @throws UploadError `INVALID_KEY` for a placeholder that there is not.
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

/** One pass: what a file name brings along in braces stays as it is. */
function render(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w*)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

function below(prefix: string, key: string): string {
  return key.startsWith(prefix) ? key : `${prefix}${key}`;
}
