/** The outcome of one check. Only `fail` makes doctor fail. */
export interface Finding {
  readonly check: string;
  readonly outcome: 'ok' | 'info' | 'warn' | 'fail';
  readonly detail: string;
  /** The next thing to do. */
  readonly advice?: string;
}

export function ok(check: string, detail: string): Finding {
  return { check, outcome: 'ok', detail };
}

export function info(check: string, detail: string, advice?: string): Finding {
  return { check, outcome: 'info', detail, ...(advice === undefined ? {} : { advice }) };
}

export function warn(check: string, detail: string, advice: string): Finding {
  return { check, outcome: 'warn', detail, advice };
}

export function fail(check: string, detail: string, advice: string): Finding {
  return { check, outcome: 'fail', detail, advice };
}
