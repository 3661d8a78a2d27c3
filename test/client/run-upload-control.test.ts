import { describe, expect, it, vi } from 'vitest';
import { createUploadControl } from '../../src/client/flow/upload-control.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { EngineBench } from '../support/client/engine-bench.ts';
import { recordedSource, seededBytes } from '../support/client/sources.ts';
import type { StartedRun } from '../support/client/started-run.ts';
import { aGate } from '../support/proxies/faults.ts';
import { startTurnClock } from '../support/time/turn-clock.ts';

const PART = 5 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
const MULTIPART = { strategy: 'multipart', partSize: PART } as const;

async function start(partCount: number, seed: number, request: typeof CHUNKED | typeof MULTIPART) {
  const bench = await EngineBench.start();
  const bytes = seededBytes(partCount * PART, seed);
  const source = recordedSource(bytes);
  const session = await bench.open(source, request);
  return { bench, bytes, source, session, control: createUploadControl() };
}

/** The engine's own pulse: four times a second whatever it does. A part that may begin begins within a fraction of one. */
async function beats(run: StartedRun, count: number): Promise<void> {
  const before = run.eventsOf('progress').length;
  await expect.poll(() => run.eventsOf('progress').length, { timeout: 30_000 }).toBeGreaterThan(before + count);
}

describe('a paused upload', () => {
  it('sends what is on the wire to its end and begins nothing more; continued, it goes on to the end', async () => {
    const { bench, bytes, source, session, control } = await start(6, 61, MULTIPART);
    const report = vi.spyOn(bench.controlPlane, 'report');
    const presign = vi.spyOn(bench.controlPlane, 'presign');
    const timesSigned = (partNumber: number) =>
      presign.mock.calls.filter(([, { partNumbers }]) => partNumbers.includes(partNumber)).length;
    const gate = aGate();
    bench.proxy.plan = async () => {
      await gate.opened;
      return undefined;
    };
    const run = bench.run(session, source, { control, concurrency: 2 });
    await expect.poll(() => bench.proxy.puts.length).toBe(2);
    // In hand already: read, signed, and waiting for a place.
    await expect.poll(() => timesSigned(3), { timeout: 60_000 }).toBe(1);
    control.pause();
    gate.open();

    const reports = report.mock.calls.length;
    await expect.poll(() => report.mock.calls.length, { timeout: 60_000 }).toBeGreaterThan(reports + 2);
    expect(bench.proxy.puts).toEqual([1, 2]);
    expect(
      run
        .eventsOf('part')
        .map(({ partNumber }) => partNumber)
        .sort(),
    ).toEqual([1, 2]);
    expect(report.mock.lastCall?.[1]).toMatchObject({ inFlightBytes: 0, bytesPerSecond: 0 });
    expect(run.eventsOf('progress').at(-1)).toMatchObject({ inFlightBytes: 0, bytesPerSecond: 0, secondsRemaining: null });

    control.resume();
    expect(await run.result).toMatchObject({ status: 'completed', bytesSent: bytes.length });
    expect(bench.proxy.puts.toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
    // The pause might have outlived the first URL.
    expect(timesSigned(3)).toBe(2);
    const said = run.events.map(({ type }) => type).filter((type) => type !== 'progress' && type !== 'part');
    expect(said).toEqual(['session', 'paused', 'resumed', 'finishing']);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('begins no part that was being signed when it was paused again', async () => {
    const { bench, source, session, control } = await start(2, 68, CHUNKED);
    const presign = vi.spyOn(bench.controlPlane, 'presign');
    const gate = aGate();
    bench.proxy.plan = async () => {
      await gate.opened;
      return undefined;
    };
    const run = bench.run(session, source, { control });
    await expect.poll(() => bench.proxy.puts.length).toBe(1);
    await expect.poll(() => presign.mock.calls.flatMap(([, { partNumbers }]) => partNumbers)).toEqual([1, 2]);
    control.pause();
    gate.open();
    await run.first('part');
    presign.mockImplementationOnce((...call) => {
      control.pause();
      return bench.controlPlane.presign(...call);
    });
    control.resume();
    await beats(run, 4);
    expect(bench.proxy.puts).toEqual([1]);
    control.resume();
    await run.result;
    expect(bench.proxy.puts).toEqual([1, 2]);
  });

  it('does not send a broken part again, nor ask whether the store is there, until it is continued', async () => {
    const { bench, bytes, source, session, control } = await start(2, 62, CHUNKED);
    bench.proxy.plan = () => ({ stallAfter: 1 });
    const run = bench.run(session, source, { control });
    await expect.poll(() => bench.proxy.puts.length).toBe(1);
    control.pause();
    await bench.proxy.goDown();
    await run.first('retry');
    // Longer than a link may be without an answer before it counts as offline.
    await beats(run, 12);
    expect(run.eventsOf('offline')).toEqual([]);
    expect(bench.proxy.puts).toEqual([1]);

    bench.proxy.plan = () => undefined;
    await bench.proxy.comeBack();
    control.resume();
    await run.result;
    expect(bench.proxy.puts.toSorted()).toEqual([1, 1, 2]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('uses up no patience', async () => {
    const { bench, source, session, control } = await start(1, 63, CHUNKED);
    bench.proxy.plan = ({ attempt }) => (attempt <= 3 ? { resetAfter: 1 } : undefined);
    const run = bench.run(session, source, { control, maxOutageMs: 3_000 });
    await run.first('retry');
    control.pause();
    await beats(run, 14);
    control.resume();
    expect(await run.result).toMatchObject({ status: 'completed' });
    expect(bench.proxy.puts).toEqual([1, 1, 1, 1]);
  });

  it('ends at once when it is interrupted and nothing is on the wire', async () => {
    const { bench, source, session, control } = await start(3, 64, MULTIPART);
    control.pause();
    const reads = source.reads.length;
    const interruption = new AbortController();
    const run = bench.run(session, source, { control, signal: interruption.signal, drainMs: 60_000 });
    await run.first('paused');
    await beats(run, 4);
    const elapsedMs = startTurnClock();
    interruption.abort();
    await expect(run.result).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(elapsedMs()).toBeLessThan(2_000);
    expect(bench.proxy.puts).toEqual([]);
    // Nor was a part read to be sent.
    expect(source.reads).toHaveLength(reads);
  });

  it('is compared with its file on resume all the same, and sends only what is missing when it is continued', async () => {
    const { bench, bytes, source, session, control } = await start(4, 65, MULTIPART);
    await bench.storeParts(session, bytes, [1, 2, 3]);
    control.pause();
    const run = bench.run(session, source, { control });
    await expect
      .poll(() => run.eventsOf('verifying').at(-1), { timeout: 60_000 })
      .toMatchObject({ verifiedBytes: 3 * PART, totalBytes: 3 * PART });
    await beats(run, 4);
    expect(bench.proxy.puts).toEqual([]);
    control.resume();
    expect(await run.result).toMatchObject({ bytesSent: PART });
    expect(bench.proxy.puts).toEqual([4]);
  });
});

describe('the limit of a running upload', () => {
  it('can be taken away while a part is sent, which then goes on at once', async () => {
    const { bench, bytes, source, session, control } = await start(3, 66, MULTIPART);
    control.bytesPerSecond = 4_096;
    const run = bench.run(session, source, { control });
    await expect.poll(() => run.eventsOf('progress').at(-1)?.inFlightBytes, { timeout: 60_000 }).toBeGreaterThan(0);
    control.bytesPerSecond = undefined;
    // An hour at the first rate.
    expect((await run.result).seconds).toBeLessThan(20);
    expect(run.eventsOf('limit')).toEqual([{ type: 'limit', bytesPerSecond: null }]);
    expect(bench.proxy.puts.toSorted()).toEqual([1, 2, 3]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('can be set while a part is sent, which is slow from then on and not cut for it', async () => {
    const { bench, source, session, control } = await start(2, 67, CHUNKED);
    bench.proxy.plan = ({ partNumber }) => {
      if (partNumber === 2) control.bytesPerSecond = 64 * 1024;
      return undefined;
    };
    const run = bench.run(session, source, { control, stallMs: 2_000 });
    await run.first('limit');
    const sentBefore = run.eventsOf('progress').at(-1)?.inFlightBytes ?? 0;
    await beats(run, 16);
    const { inFlightBytes } = run.eventsOf('progress').at(-1) ?? { inFlightBytes: 0 };
    // 4 s and a little at 64 KiB/s, and what the socket took before.
    expect(inFlightBytes - sentBefore).toBeLessThan(3 * MiB);
    expect(run.eventsOf('retry')).toEqual([]);
    control.bytesPerSecond = undefined;
    await run.result;
    expect(bench.proxy.puts).toEqual([1, 2]);
  });
});
