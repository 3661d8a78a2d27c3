import { describe, expect, it, vi } from 'vitest';
import { createUploadControl } from '../../src/client/flow/upload-control.ts';
import { UploadError } from '../../src/session/errors.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { EngineBench } from '../support/client/engine-bench.ts';
import { recordedSource, seededBytes } from '../support/client/sources.ts';

const PART = 6 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
/** Keeps buffers small when a connection is cut, even where a busy machine lets the proxy read late. */
const limited = () => createUploadControl({ bytesPerSecond: 12 * MiB });

describe('a way to the store that cuts parts', () => {
  it('leaves the plan as it is where parts are stored, says what helps, and is tried again', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 61);
    const source = recordedSource(bytes);
    // Until it was noticed: on a busy machine buffers on the way take more of one attempt than of another, and the cuts look alike later.
    bench.proxy.plan = ({ partNumber, attempt }) => {
      const isCut = partNumber === 2 && attempt <= 40 && run.eventsOf('notice').length === 0;
      return isCut ? { resetAfter: 4 * MiB } : undefined;
    };
    const run = bench.run(await bench.open(source, CHUNKED), source, { control: limited() });
    await run.result;
    // About 4 MiB; more on a busy machine, because what is in buffers on the way is counted in.
    expect(run.eventsOf('notice')).toMatchObject([
      {
        code: 'PARTS_CUT',
        message: expect.stringMatching(/cuts every connection after about \d.* Parts are stored already/),
      },
    ]);
    expect(run.eventsOf('replanned')).toEqual([]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('is not seen in a link that breaks again and again: then the store is out of reach in between', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(PART, 62);
    const source = recordedSource(bytes);
    bench.proxy.plan = ({ attempt }) => (attempt <= 4 ? { resetAfter: 4 * MiB } : undefined);
    let outages = 0;
    const run = bench.run(await bench.open(source, CHUNKED), source, {
      control: limited(),
      onEvent: (event) => {
        if (event.type === 'retry') void bench.proxy.goDown();
        if (event.type !== 'offline') return;
        outages += 1;
        void bench.proxy.comeBack();
      },
    });
    await run.result;
    expect(outages).toBe(4);
    expect([...run.eventsOf('notice'), ...run.eventsOf('replanned')]).toEqual([]);
  });

  it('gets the plan that the run has where the server changes none', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(2 * PART, 63));
    const session = await bench.open(source, { strategy: 'single' });
    bench.proxy.plan = () => ({ answer: 413 });
    vi.spyOn(bench.controlPlane, 'replan').mockRejectedValue(new UploadError('ROUTE_NOT_FOUND', 'There is no such route.'));
    const run = bench.run(session, source);
    await expect(run.result).rejects.toMatchObject({
      code: 'PART_REFUSED',
      message: expect.stringContaining('takes no part of 12 MiB: HTTP 413'),
    });
    expect(bench.proxy.puts).toEqual([1, 1]);
  });

  it('may lead to a new plan in the middle of a run: figures go on, and nothing shrinks', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 64);
    const source = recordedSource(bytes);
    const session = await bench.open(source, { strategy: 'single' });
    bench.proxy.plan = ({ partNumber, attempt }) => {
      const isCut = partNumber === 1 && attempt <= 40 && run.eventsOf('replanned').length === 0;
      return isCut ? { resetAfter: 10 * MiB } : undefined;
    };
    const run = bench.run(session, source, { control: limited() });
    const result = await run.result;
    expect(run.eventsOf('replanned')).toMatchObject([
      { session: { sessionId: session.sessionId, strategy: 'chunked', partSize: 5 * MiB } },
    ]);
    expect(result.bytesSent - result.wastedBytes).toBe(bytes.length);
    expect(result.retries).toBeGreaterThanOrEqual(3);
    const figures = run.eventsOf('progress');
    for (const [index, { wastedBytes, retries }] of figures.entries()) {
      expect(wastedBytes).toBeGreaterThanOrEqual(figures[index - 1]?.wastedBytes ?? 0);
      expect(retries).toBeGreaterThanOrEqual(figures[index - 1]?.retries ?? 0);
    }
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });
});
