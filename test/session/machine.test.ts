import { describe, expect, it } from 'vitest';
import {
  EVENTS,
  isTerminal,
  nextStatus,
  type SessionEvent,
  STATUSES,
  type Status,
  TRANSITIONS,
} from '../../src/session/machine.ts';

/** The transitions a second time, on purpose: a change of the machine must be made here, too. */
const EXPECTED: Record<Status, Record<SessionEvent, Status | undefined>> = {
  creating: row({ 'upload-created': 'open', 'end-requested': 'aborting' }),
  open: row({
    'complete-requested': 'completing',
    'object-verified': 'completed',
    'upload-lost': 'creating',
    'plan-changed': 'creating',
    'end-requested': 'aborting',
  }),
  completing: row({ 'complete-refused': 'open', 'object-verified': 'completed', 'upload-lost': 'creating' }),
  completed: row({}),
  aborting: row({ 'abort-confirmed': 'aborted', 'expiry-confirmed': 'expired' }),
  aborted: row({}),
  expired: row({}),
};

function row(transitions: Partial<Record<SessionEvent, Status>>): Record<SessionEvent, Status | undefined> {
  return {
    'upload-created': undefined,
    'complete-requested': undefined,
    'complete-refused': undefined,
    'object-verified': undefined,
    'upload-lost': undefined,
    'plan-changed': undefined,
    'end-requested': undefined,
    'abort-confirmed': undefined,
    'expiry-confirmed': undefined,
    ...transitions,
  };
}

function reachableFrom(start: Status): Set<Status> {
  const reached = new Set<Status>([start]);
  for (const status of reached) {
    for (const event of EVENTS) {
      const next = nextStatus(status, event);
      if (next !== undefined) reached.add(next);
    }
  }
  return reached;
}

describe('the state machine of a session', () => {
  const pairs = STATUSES.flatMap((status) => EVENTS.map((event) => ({ status, event, next: EXPECTED[status][event] })));

  it.each(pairs)('$status + $event → $next', ({ status, event, next }) => {
    expect(nextStatus(status, event)).toBe(next);
  });

  it('ends in completed, aborted and expired, and nowhere else', () => {
    expect(STATUSES.filter(isTerminal)).toEqual(['completed', 'aborted', 'expired']);
  });

  it('reaches every status from creating', () => {
    expect([...reachableFrom('creating')].sort()).toEqual([...STATUSES].sort());
  });

  it('can still end from every status that has not ended', () => {
    for (const status of STATUSES.filter((candidate) => !isTerminal(candidate))) {
      expect([...reachableFrom(status)].some(isTerminal), status).toBe(true);
    }
  });

  it('allows every event in some status', () => {
    for (const event of EVENTS) {
      expect(
        STATUSES.some((status) => nextStatus(status, event) !== undefined),
        event,
      ).toBe(true);
    }
  });

  it('leaves `aborting` only to end, and never aborts what may already be an object', () => {
    expect(Object.values(TRANSITIONS.aborting).every(isTerminal)).toBe(true);
    expect(nextStatus('completing', 'end-requested')).toBeUndefined();
    expect(nextStatus('completed', 'end-requested')).toBeUndefined();
  });
});
