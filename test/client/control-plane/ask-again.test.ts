import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { firstAnswer } from '../../../src/client/control-plane/ask-again.ts';
import { UploadError } from '../../../src/session/errors.ts';

const unreachable = new UploadError('SERVER_UNREACHABLE', 'no answer');
const refused = new UploadError('PARTS_MISSING', 'two parts are missing');

interface Question {
  readonly signal: AbortSignal;
  readonly answer: (text: string) => void;
  readonly fail: (error: unknown) => void;
}

/** Questions that wait until the test answers them, and how often connections were renewed. */
function anAsking(signal = new AbortController().signal) {
  const questions: Question[] = [];
  let renewals = 0;
  const ask = (aborts: AbortSignal) =>
    new Promise<string>((answer, fail) => {
      questions.push({ signal: aborts, answer, fail });
      aborts.addEventListener('abort', () => fail(aborts.reason));
    });
  const options = { signal, askAgainMs: 1_000, renewConnections: () => void renewals++ };
  const result = firstAnswer(ask, options);
  result.catch(() => {});
  return { result, questions, renewals: () => renewals };
}

describe('a call whose answer may take long', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is asked once where the answer comes soon', async () => {
    const { result, questions, renewals } = anAsking();
    questions[0]?.answer('yes');
    expect(await result).toBe('yes');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(questions).toHaveLength(1);
    expect(renewals()).toBe(0);
  });

  it('is sent again over a new connection, beside the calls that wait, less and less often', async () => {
    const { questions, renewals } = anAsking();
    for (const [ms, asked] of [
      [999, 1],
      [1, 2],
      [1_999, 2],
      [1, 3],
      [3_999, 3],
      [1, 4],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms);
      expect(questions).toHaveLength(asked);
      expect(renewals()).toBe(asked - 1);
    }
    expect(questions.some(({ signal }) => signal.aborted)).toBe(false);
  });

  it.each([0, 1])('takes the first answer, also of question %i of two, and waits for no other', async (index) => {
    const { result, questions } = anAsking();
    await vi.advanceTimersByTimeAsync(1_000);
    questions[index]?.answer('yes');
    expect(await result).toBe('yes');
    expect(questions[1 - index]?.signal.aborted).toBe(true);
  });

  it('is over with an error that is an answer, whatever other calls still wait', async () => {
    const { result, questions } = anAsking();
    await vi.advanceTimersByTimeAsync(1_000);
    questions[1]?.fail(refused);
    await expect(result).rejects.toBe(refused);
    expect(questions[0]?.signal.aborted).toBe(true);
  });

  it('goes on waiting where one of two questions got lost, and is lost with the last', async () => {
    const { result, questions } = anAsking();
    await vi.advanceTimersByTimeAsync(1_000);
    questions[1]?.fail(unreachable);
    questions[0]?.answer('yes');
    expect(await result).toBe('yes');

    const other = anAsking();
    await vi.advanceTimersByTimeAsync(1_000);
    for (const question of other.questions) question.fail(unreachable);
    await expect(other.result).rejects.toBe(unreachable);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(other.questions).toHaveLength(2);
  });

  it('ends when its caller ends it, and is not asked again', async () => {
    const caller = new AbortController();
    const { result, questions } = anAsking(caller.signal);
    caller.abort(new Error('interrupted'));
    await expect(result).rejects.toThrow('interrupted');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(questions).toHaveLength(1);
  });
});
