import type { ArgDef, ArgsDef } from 'citty';
import { didYouMean } from '../../text/did-you-mean.ts';
import { UsageError } from './usage-error.ts';

/** A positional with this at the end of its name takes one or more; a flag with this at the end of its hint may be given again and again. */
export const ANY_NUMBER = '…';

/**
 * citty takes unknown flags, flags without their value and extra arguments without a word. A misspelt `--overwrite` must
 * not be lost, so this reads the words the same way first and refuses what citty would not.
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

/** All values of a flag that may repeat, of words that `checkArguments` let through: citty keeps only the last one. */
export function valuesOf(words: readonly string[], definitions: ArgsDef, flag: string): string[] {
  const { flags } = readWords(words, definitions);
  return flags.flatMap(({ name, value }) => (name === flag && value !== undefined ? [value] : []));
}

interface Flag {
  readonly name: string;
  readonly definition: ArgDef;
  readonly value: string | undefined;
  /** Not behind `=`. */
  readonly isNextWord: boolean;
}

interface Words {
  readonly flags: readonly Flag[];
  /** Those that look like flags and are none. */
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

/** citty refuses these, too, but by an error that looks like a bug of ours. */
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
