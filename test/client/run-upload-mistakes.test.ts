import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../../src/client/source/byte-source.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { EngineBench } from '../support/client/engine-bench.ts';
import { recordedSource, seededBytes } from '../support/client/sources.ts';
import { interpose } from '../support/interpose.ts';

const PART = 5 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
const MULTIPART = { strategy: 'multipart', partSize: PART } as const;
const mistake = new TypeError("Cannot read properties of undefined (reading 'length')");

/** The first reading of a part is for its checksum, the second one is sent. */
function brokenAtSecondRead(source: ByteSource, at: number): ByteSource {
  let reads = 0;
  return {
    ...source,
    async *read(start, end) {
      if (start === at) reads += 1;
      if (reads === 2) throw mistake;
      yield* source.read(start, end);
    },
  };
}

describe('a mistake in a program', () => {
  it('in what reads the bytes that are sent ends the upload with that very error, and is not repeated', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(2 * PART, 61));
    const session = await bench.open(source, CHUNKED);
    const run = bench.run(session, brokenAtSecondRead(source, 0));
    await expect(run.result).rejects.toBe(mistake);
    expect(run.eventsOf('retry')).toEqual([]);
  });

  it('in what identifies the source ends the upload with that very error', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 62));
    const session = await bench.open(source, CHUNKED);
    const identify = () => Promise.reject(mistake);
    await expect(bench.run(session, { ...source, identify }).result).rejects.toBe(mistake);
  });

  it('ends the upload also while other parts wait for the end of an outage', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(4 * PART, 63));
    const session = await bench.open(source, MULTIPART);
    await bench.proxy.goDown();
    let goOn = () => {};
    const outage = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const run = bench.run(
      session,
      {
        ...source,
        async *read(start, end) {
          if (start === 2 * PART) {
            await outage;
            throw mistake;
          }
          yield* source.read(start, end);
        },
      },
      { concurrency: 4 },
    );
    await run.first('offline');
    goOn();
    await expect(run.result).rejects.toBe(mistake);
  });

  it('is also a part URL that cannot be parsed: it ends the upload, and the server is asked once for it', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 64));
    const session = await bench.open(source, CHUNKED);
    let asked = 0;
    const controlPlane = interpose(bench.controlPlane, async (method, call) => {
      const answer = await call();
      if (method !== 'presign') return answer;
      asked += 1;
      const { parts } = answer as Awaited<ReturnType<typeof bench.controlPlane.presign>>;
      return { parts: parts.map((part) => ({ ...part, url: 'store/without/scheme' })) };
    });
    await expect(bench.run(session, source, { controlPlane }).result).rejects.toThrow(TypeError);
    expect(asked).toBe(1);
  });
});
