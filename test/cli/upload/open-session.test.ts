import { describe, expect, it } from 'vitest';
import type { Subject } from '../../../src/cli/errors/failure.ts';
import { Journal } from '../../../src/cli/journal/journal.ts';
import { openSession } from '../../../src/cli/upload/open-session.ts';
import { UploadError } from '../../../src/session/errors.ts';
import type { Status } from '../../../src/session/machine.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

/** A journal without a folder remembers nothing; this one counts how often it is read. */
class CountingJournal extends Journal {
  reads = 0;

  constructor() {
    super({ directory: undefined, warn: () => {}, now: Date.now });
  }

  override async read(): Promise<undefined> {
    this.reads += 1;
  }
}

function aSubject() {
  const learnt: Subject[] = [];
  return { learnt, now: {}, learn: (more: Subject) => void learnt.push(more) };
}

describe('opening a session', () => {
  it('reads the journal once, and makes the session the subject of what fails later', async () => {
    const [journal, subject, session] = [new CountingJournal(), aSubject(), aWireSession({ status: 'open' })];
    const opened = await openSession(async () => ({ session, created: true }), subject, { journal });
    expect(opened).toEqual({ session, created: true, remaining: 'send', entry: undefined });
    expect(journal.reads).toBe(1);
    expect(subject.learnt).toEqual([{ sessionId: session.sessionId, session }]);
  });

  it('leaves a completed session to be compared', async () => {
    const session = aWireSession({ status: 'completed' });
    const opened = await openSession(async () => ({ session, created: false }), aSubject(), { journal: new CountingJournal() });
    expect(opened.remaining).toBe('compare');
  });

  it.each<Status>(['aborting', 'aborted', 'expired'])('refuses a session that is %s', async (status) => {
    const [journal, session] = [new CountingJournal(), aWireSession({ status })];
    const opening = openSession(async () => ({ session, created: false }), aSubject(), { journal });
    await expect(opening).rejects.toMatchObject({ code: 'SESSION_NOT_OPEN', facts: { sessionStatus: status } });
    expect(journal.reads).toBe(0);
  });

  it('takes the session that a refusal names for the subject', async () => {
    const { sessionId } = aWireSession();
    const refusal = new UploadError('SESSION_PLAN_DIFFERS', 'another plan', { facts: { sessionId } });
    const subject = aSubject();
    const opening = openSession(() => Promise.reject(refusal), subject, { journal: new CountingJournal() });
    await expect(opening).rejects.toBe(refusal);
    expect(subject.learnt).toEqual([{ sessionId }]);
  });
});
