import type { ArgDef, ArgsDef } from 'citty';
import { didYouMean } from '../../text/did-you-mean.ts';
import { UsageError } from './usage-error.ts';

/** At the end of a positional's name: takes one or more. At the end of a flag's hint: may be repeated. */
export const ANY_NUMBER = '…';

/**
 * Refuses what citty would silently accept: unknown flags, flags without their value and extra arguments. Reads the words the way citty
 * does, but first, because a misspelt `--overwrite` must not be lost.
 * @throws UsageError with all faults.
 */
export function checkArguments(
  words: readonly string[],
  definitions: ArgsDef,
  command: string,
  /** Names of the variables that the command reads. */
  variables: readonly string[] = [],
): void {
  const { flags, unknown, positionals } = readWords(words, definitions);
  const faults = unknown.map((word) => unknownFlag(word, definitions, variables));
  const seen = new Set<string>();
  for (const { name, definition, value, isNextWord } of flags) {
    if (seen.has(name) && !mayRepeat(definition)) faults.push(`--${name} is given twice.`);
    seen.add(name);
    faults.push(...valueFaults(name, definition, value, isNextWord));
  }
  faults.push(...missingFlags(seen, definitions), ...positionalFaults(positionals, definitions));
  if (faults.length > 0) throw new UsageError(faults, `See: partway ${command} --help`);
}

/** Returns all values of a flag that may repeat; citty keeps only the last one. `checkArguments` must have accepted the words. */
export function valuesOf(words: readonly string[], definitions: ArgsDef, flag: string): string[] {
  const { flags } = readWords(words, definitions);
  return flags.flatMap(({ name, value }) => (name === flag && value !== undefined ? [value] : []));
}

interface Flag {
  readonly name: string;
  readonly definition: ArgDef;
  readonly value: string | undefined;
  /** The value is the next word, not behind `=`. */
  readonly isNextWord: boolean;
}

interface Words {
  readonly flags: readonly Flag[];
  /** Words that look like flags, but are none of the command's. */
  readonly unknown: readonly string[];
  readonly positionals: readonly string[];
}

function readWords(words: readonly string[], definitions: ArgsDef): Words {
  const flags: Flag[] = [];
  const unknown: string[] = [];
  const positionals: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--') return { flags, unknown, positionals: [...positionals, ...words.slice(index + 1)] };
    if (!word.startsWith('-') || word === '-') {
      positionals.push(word);
      continue;
    }
    const flag = readFlag(word, words[index + 1], definitions);
    if (flag === undefined) unknown.push(word);
    else flags.push(flag);
    if (flag?.isNextWord && !flag.value?.startsWith('-') && flag.value !== undefined) index++;
  }
  return { flags, unknown, positionals };
}

function mayRepeat({ valueHint }: ArgDef): boolean {
  return valueHint?.endsWith(ANY_NUMBER) === true;
}

function readFlag(word: string, nextWord: string | undefined, definitions: ArgsDef): Flag | undefined {
  const [, dashes, typed = '', , value] = /^(--?)([^=]*)(=(.*))?$/s.exec(word) ?? [];
  for (const [name, definition] of Object.entries(definitions)) {
    if (definition.type === 'positional' || dashes !== '--' || typed !== name) continue;
    const isNextWord = definition.type !== 'boolean' && value === undefined;
    return { name, definition, value: isNextWord ? nextWord : value, isNextWord };
  }
  return undefined;
}

function unknownFlag(word: string, definitions: ArgsDef, variables: readonly string[]): string {
  const typed = word.replace(/=.*$/s, '');
  const variable = `PARTWAY_${typed.replace(/^-+/, '').replaceAll('-', '_').toUpperCase()}`;
  if (variables.includes(variable)) return `There is no flag ${typed}. Set it in the environment: ${variable}=…`;
  const known = Object.entries(definitions).flatMap(([name, { type }]) => (type === 'positional' ? [] : [name]));
  const denied = known.find((name) => typed === `--no-${name}`);
  if (denied !== undefined) return `There is no flag ${typed}. Leave out --${denied} instead.`;
  const meant = didYouMean(typed.replace(/^-+/, ''), [...known, 'help']);
  if (meant !== undefined) return `There is no flag ${typed}. Did you mean --${meant}?`;
  return `There is no flag ${typed}. (A file whose name starts with "-" comes after "--".)`;
}

/** citty refuses missing flags as well, but with an error that looks like a bug of partway. */
function missingFlags(given: ReadonlySet<string>, definitions: ArgsDef): string[] {
  return Object.entries(definitions)
    .filter(([name, { type, required }]) => type !== 'positional' && required === true && !given.has(name))
    .map(([name, { description }]) => `--${name} is missing${description === undefined ? '' : ` (${description})`}.`);
}

function valueFaults(name: string, definition: ArgDef, value: string | undefined, isNextWord: boolean): string[] {
  if (definition.type === 'boolean') return value === undefined ? [] : [`--${name} takes no value.`];
  if (value === undefined || value === '') return [`--${name} needs a value.`];
  if (isNextWord && value.startsWith('-')) return [`--${name} needs a value. (For one that starts with "-": --${name}=${value})`];
  if (definition.type !== 'enum' || definition.options?.includes(value)) return [];
  return [`--${name} must be one of ${definition.options?.join(', ')}, not "${value}".`];
}

function positionalFaults(given: readonly string[], definitions: ArgsDef): string[] {
  const wanted = Object.entries(definitions).filter(([, { type }]) => type === 'positional');
  const missing = wanted.slice(given.length).filter(([, { required }]) => required !== false);
  const faults = missing.map(([name]) => `${name.toUpperCase().replace(ANY_NUMBER, '')} is missing.`);
  const unlimited = wanted.some(([name]) => name.endsWith(ANY_NUMBER));
  const extra = unlimited ? [] : given.slice(wanted.length);
  return [
    ...faults,
    ...extra.map((word) => `"${word}" is one argument too many.`),
    ...given.filter((word) => word === '').map(() => 'An argument is empty.'),
  ];
}
