/**
 * Statuses of an upload session. The `-ing` statuses record an intent *before* its side effect at the object store, so that a crash
 * between the two leaves a row that says what has to be finished (ARCHITECTURE.md, "State machine").
 */
export const STATUSES = ['creating', 'open', 'completing', 'completed', 'aborting', 'aborted', 'expired'] as const;
export type Status = (typeof STATUSES)[number];

export const EVENTS = [
  /** The object store created the multipart upload, and its id is recorded. */
  'upload-created',
  /** A client asked to complete the session. */
  'complete-requested',
  /** The object store, or our own check of its parts, definitely refused to complete. */
  'complete-refused',
  /** The object store shows the object: complete, and with our session id. */
  'object-verified',
  /** The object store no longer has the multipart upload: start the next generation. */
  'upload-lost',
  /** The plan changes while no part is stored: start the next generation. */
  'plan-changed',
  /** A client aborted the session, or it expired. */
  'end-requested',
  /** The object store holds nothing of the session any more, after a client aborted it. */
  'abort-confirmed',
  /** The object store holds nothing of the session any more, after it expired. */
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
    // A lost answer to Complete may be noticed only after the session went back to `open`. The object decides.
    'object-verified': 'completed',
  },
  completing: { 'complete-refused': 'open', 'object-verified': 'completed', 'upload-lost': 'creating' },
  completed: {},
  aborting: { 'abort-confirmed': 'aborted', 'expiry-confirmed': 'expired' },
  aborted: {},
  expired: {},
} as const satisfies Record<Status, Partial<Record<SessionEvent, Status>>>;

/** Returns the status after `event`, or undefined if `status` does not allow the event. */
export function nextStatus(status: Status, event: SessionEvent): Status | undefined {
  const row: Partial<Record<SessionEvent, Status>> = TRANSITIONS[status];
  return row[event];
}

/** Whether the session has ended for good. */
export function isTerminal(status: Status): boolean {
  return Object.keys(TRANSITIONS[status]).length === 0;
}
