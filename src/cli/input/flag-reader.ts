import { parseDuration } from '../../text/duration.ts';
import { parseRate, parseSize } from './parse-size.ts';
import { UsageError } from './usage-error.ts';

const MAX_CONCURRENCY = 16;

/** Reads several flags and reports all their faults at once. */
export class FlagReader {
  readonly #faults: string[] = [];

  size(flag: string, text: string | undefined): number | undefined {
    return this.#read(flag, text, parseSize);
  }

  bytesPerSecond(flag: string, text: string | undefined): number | undefined {
    return this.#read(flag, text, parseRate);
  }

  durationMs(flag: string, text: string | undefined): number | undefined {
    return this.#read(flag, text, (value) => {
      const ms = parseDuration(value);
      if (ms === undefined) throw new UsageError(`"${value}" is not a duration. Write it as 90s, 30m, 24h or 7d.`);
      return ms;
    });
  }

  concurrency(flag: string, text: string | undefined): number | undefined {
    return this.integer(flag, text, 1, MAX_CONCURRENCY);
  }

  integer(flag: string, text: string | undefined, min: number, max: number): number | undefined {
    return this.#read(flag, text, (value) => {
      const number = Number(value);
      if (/^\d+$/.test(value) && number >= min && number <= max) return number;
      throw new UsageError(`"${value}" is not a whole number from ${min} to ${max}.`);
    });
  }

  /** Reads `name=value` pairs, each name once. `findFault` checks all pairs together. */
  pairs(
    flag: string,
    texts: readonly string[],
    findFault: (pairs: Readonly<Record<string, string>>) => string | undefined,
  ): Readonly<Record<string, string>> | undefined {
    if (texts.length === 0) return undefined;
    const pairs = new Map<string, string>();
    for (const text of texts) {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) this.#faults.push(`--${flag}: "${text}" is not name=value.`);
      else if (pairs.has(name)) this.#faults.push(`--${flag}: the name "${name}" is given twice.`);
      else pairs.set(name, value);
    }
    const record = Object.fromEntries(pairs);
    const fault = findFault(record);
    if (fault !== undefined) this.#faults.push(`--${flag}: ${fault}.`);
    return record;
  }

  /** Reads some of `known`, separated by commas. */
  choices<T extends string>(flag: string, text: string | undefined, known: readonly T[]): readonly T[] | undefined {
    return this.#read(flag, text, (value) =>
      value.split(',').map((word) => {
        const choice = known.find((one) => one === word.trim());
        if (choice === undefined) throw new UsageError(`"${word.trim()}" is none of ${known.join(', ')}.`);
        return choice;
      }),
    );
  }

  fault(text: string): void {
    this.#faults.push(text);
  }

  /** @throws UsageError if anything was wrong. */
  check(command: string): void {
    if (this.#faults.length > 0) throw new UsageError(this.#faults, `See: partway ${command} --help`);
  }

  #read<T>(flag: string, text: string | undefined, parse: (text: string) => T): T | undefined {
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.#faults.push(`--${flag}: ${error.message}`);
      return undefined;
    }
  }
}
