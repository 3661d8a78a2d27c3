import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgressCounter } from '../../../src/client/progress/progress-counter.ts';
import { startProgressSender } from '../../../src/client/transfer/progress-sender.ts';
import type { ReportRequest } from '../../../src/contract/wire.ts';

const PART = { partNumber: 1, etag: '"e"', checksum: 'AAAAAA==', size: 5 };

describe('the progress sender', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function reporting(send: (report: ReportRequest) => Promise<unknown>) {
    const counter = createProgressCounter({ size: 10, storedBytes: 0, partsStored: 0, partCount: 2 }, Date.now);
    return startProgressSender({ clientId: 'c', counter, send, onEnded: () => {} });
  }

  it('reports a part once, and again only where the report with it got lost', async () => {
    const sent: number[][] = [];
    let fails = true;
    const reports = reporting(async ({ parts = [] }) => {
      sent.push(parts.map(({ partNumber }) => partNumber));
      if (parts.length > 0 && fails) throw new Error('lost');
    });
    reports.partStored(PART);
    await vi.advanceTimersByTimeAsync(1_000);
    fails = false;
    await vi.advanceTimersByTimeAsync(2_000);
    await reports.stop();
    expect(sent).toEqual([[], [1], [1], [], []]);
  });

  it('reports no part from before the store is asked again: the store may have lost it', async () => {
    const sent: number[] = [];
    const reports = reporting(async ({ parts = [] }) => sent.push(parts.length));
    reports.partStored(PART);
    await reports.startOver();
    await vi.advanceTimersByTimeAsync(3_000);
    await reports.stop();
    expect(sent.every((parts) => parts === 0)).toBe(true);
  });

  it('waits for a running report before the store is asked again, even if that report fails', async () => {
    let lose = (_: Error) => {};
    const reports = reporting(
      () =>
        new Promise((_, reject) => {
          lose = reject;
        }),
    );
    let mayAsk = false;
    const startingOver = reports.startOver().then(() => {
      mayAsk = true;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(mayAsk).toBe(false);
    lose(new Error('lost'));
    await startingOver;
    const stopping = reports.stop();
    await vi.advanceTimersByTimeAsync(0);
    lose(new Error('lost'));
    await stopping;
  });
});
