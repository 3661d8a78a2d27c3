/**
 * The life of an upload session. The `-ing` statuses store an intent *before* its side effect at the object store,
 * so a crash between the two leaves a row that says what has to be finished (ARCHITECTURE.md, "State machine").
 */
export const STATUSES = ['creating', 'open', 'completing', 'completed', 'aborting', 'aborted', 'expired'] as const;
export type Status = (typeof STATUSES)[number];

export const EVENTS = [
  /** The object store made the multipart upload and its id is recorded. */
  'upload-created',
  /** A client asked for completion. */
  'complete-requested',
  /** The store (or our own check of its parts) definitely refused to complete. */
  'complete-refused',
  /** The object was seen at the store, whole and ours. */
  'object-verified',
  /** The store no longer has the multipart upload: start the next generation. */
  'upload-lost',
  /** The plan changes while no part is stored: start the next generation. */
  'plan-changed',
  /** A client aborted, or the session's time ran out. */
  'end-requested',
  /** The store holds nothing of it any more, and a client had aborted. */
  'abort-confirmed',
  /** The store holds nothing of it any more, and its time had run out. */
  'expiry-confirmed',
] as const;
export type SessionEvent = (typeof EVENTS)[number];

export const TRANSITIONS = {
  creating: { 'upload-created': 'open', 'end-requested': 'aborting' },
  open: {
    'complete-requested': 'completing',
    'upload-lost': 'creating',
    'plan-changed': 'creating',
    'end-requested': 'aborting',
    // A lost answer to Complete can be noticed after the session went back to `open`: the object decides.
    'object-verified': 'completed',
  },
  completing: { 'complete-refused': 'open', 'object-verified': 'completed', 'upload-lost': 'creating' },
  completed: {},
  aborting: { 'abort-confirmed': 'aborted', 'expiry-confirmed': 'expired' },
  aborted: {},
  expired: {},
} as const satisfies Record<Status, Partial<Record<SessionEvent, Status>>>;

/** The status after `event`, or undefined where the event has no place in `status`. */
export function nextStatus(status: Status, event: SessionEvent): Status | undefined {
  const row: Partial<Record<SessionEvent, Status>> = TRANSITIONS[status];
  return row[event];
}

/** Nothing can happen to the session any more. */
export function isTerminal(status: Status): boolean {
  return Object.keys(TRANSITIONS[status]).length === 0;
}
