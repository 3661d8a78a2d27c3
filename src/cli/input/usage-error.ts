/** The command line or its environment cannot work. Carries all faults at once; nothing was done. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly faults: readonly string[];
  /** The thing to type instead. */
  readonly hint: string | undefined;

  constructor(faults: string | readonly string[], hint?: string) {
    const list = typeof faults === 'string' ? [faults] : faults;
    super(list.join(' '));
    this.faults = list;
    this.hint = hint;
  }
}
