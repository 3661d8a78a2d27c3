import type { ArgDef, ArgsDef } from 'citty';
import { didYouMean } from './did-you-mean.ts';
import { UsageError } from './usage-error.ts';

/** A positional with this at the end of its name takes one or more. */
export const ANY_NUMBER = '…';

/**
 * citty takes unknown flags, flags without their value and extra arguments without a word. A misspelt `--overwrite` must
 * not be lost, so this reads the words the same way first and refuses what citty would not.
 * @throws UsageError with all faults.
 */
export function checkArguments(words: readonly string[], definitions: ArgsDef, command: string): void {
  const faults: string[] = [];
  const seen = new Set<string>();
  const positionals: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--') {
      positionals.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      positionals.push(word);
      continue;
    }
    const flag = readFlag(word, definitions);
    if (flag === undefined) {
      faults.push(unknownFlag(word, definitions));
      continue;
    }
    if (seen.has(flag.name)) faults.push(`--${flag.name} is given twice.`);
    seen.add(flag.name);
    const takesNext = flag.definition.type !== 'boolean' && flag.value === undefined;
    const value = takesNext ? words[index + 1] : flag.value;
    if (takesNext && value !== undefined && !value.startsWith('-')) index++;
    faults.push(...valueFaults(flag.name, flag.definition, value, takesNext));
  }
  faults.push(...positionalFaults(positionals, definitions));
  if (faults.length > 0) throw new UsageError(faults, `See: partway ${command} --help`);
}

interface Flag {
  readonly name: string;
  readonly definition: ArgDef;
  /** What stands behind `=`. */
  readonly value: string | undefined;
}

function readFlag(word: string, definitions: ArgsDef): Flag | undefined {
  const [, dashes, typed = '', , value] = /^(--?)([^=]*)(=(.*))?$/s.exec(word) ?? [];
  for (const [name, definition] of Object.entries(definitions)) {
    if (definition.type === 'positional') continue;
    if (dashes === '--' && typed === name) return { name, definition, value };
  }
  return undefined;
}

function unknownFlag(word: string, definitions: ArgsDef): string {
  const typed = word.replace(/=.*$/s, '');
  const known = Object.entries(definitions).flatMap(([name, { type }]) => (type === 'positional' ? [] : [name]));
  const denied = known.find((name) => typed === `--no-${name}`);
  if (denied !== undefined) return `There is no flag ${typed}. Leave out --${denied} instead.`;
  const meant = didYouMean(typed.replace(/^-+/, ''), [...known, 'help']);
  if (meant !== undefined) return `There is no flag ${typed}. Did you mean --${meant}?`;
  return `There is no flag ${typed}. (A file whose name starts with "-" comes after "--".)`;
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
