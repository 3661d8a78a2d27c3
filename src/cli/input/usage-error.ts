/** The command was typed, or its environment set, in a way that cannot work. All faults at once; nothing was done. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly faults: readonly string[];
  /** What to type instead. */
  readonly hint: string | undefined;

  constructor(faults: string | readonly string[], hint?: string) {
    const list = typeof faults === 'string' ? [faults] : faults;
    super(list.join(' '));
    this.faults = list;
    this.hint = hint;
  }
}
