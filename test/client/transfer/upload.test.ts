import { describe, expect, it } from 'vitest';
import { createUploadControl } from '../../../src/client/flow/upload-control.ts';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { STRATEGIES, type Strategy } from '../../../src/session/strategy.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { EngineBench } from '../../support/client/engine-bench.ts';
import { recordedSource, seededBytes } from '../../support/client/sources.ts';

const PART = 5 * MiB;

/** What each strategy is asked for, with parts as small as S3 allows. */
function requestFor(strategy: Strategy) {
  return strategy === 'single' ? { strategy } : { strategy, partSize: PART };
}

describe('an upload', () => {
  it.each(STRATEGIES)('by %s makes an object that is the file, byte for byte', async (strategy) => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART + 12_345, 1);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor(strategy));
    const run = bench.run(session, source);
    expect(await run.result).toEqual({
      sessionId: session.sessionId,
      bucket: session.bucket,
      key: 'video.mp4',
      status: 'completed',
      bytes: bytes.length,
      bytesSent: bytes.length,
      seconds: expect.any(Number),
      averageBytesPerSecond: expect.any(Number),
      retries: 0,
      offlineSeconds: 0,
      wastedBytes: 0,
      etag: expect.stringMatching(/^"[0-9a-f]{32}-\d+"$/),
      checksum: checksumOf(bytes),
      proof: 'full',
      unprovenBytes: 0,
    });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
    expect(await bench.controlPlane.get(session.sessionId)).toMatchObject({ status: 'completed', checksum: checksumOf(bytes) });
    expect([...bench.proxy.puts].sort()).toEqual(strategy === 'single' ? [1] : [1, 2, 3, 4]);
    expect(run.eventsOf('part').length).toBe(bench.proxy.puts.length);
  });

  it.each(STRATEGIES)('by %s takes a file of 0 bytes', async (strategy) => {
    const bench = await EngineBench.start();
    const source = recordedSource(new Uint8Array());
    const session = await bench.open(source, requestFor(strategy));
    expect(await bench.run(session, source).result).toMatchObject({ bytes: 0, bytesSent: 0, checksum: encodeCrc32(0) });
    expect((await bench.readObject('video.mp4')).length).toBe(0);
  });

  it.each([
    ['1 byte', 1, 1],
    ['exactly one part', PART, 1],
    ['one part and 1 byte', PART + 1, 2],
    ['exactly two parts', 2 * PART, 2],
  ])('takes a file of %s', async (_, size, parts) => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(size, 2);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor('multipart'));
    expect(session.partCount).toBe(parts);
    await bench.run(session, source).result;
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('by chunked sends its parts in order', async () => {
    const bench = await EngineBench.start();
    // The last part is tiny: it is read long before the others are.
    const source = recordedSource(seededBytes(2 * PART + 1, 3));
    await bench.run(await bench.open(source, requestFor('chunked')), source).result;
    expect(bench.proxy.puts).toEqual([1, 2, 3]);
  });

  it('reports honest figures: stored bytes never fall, and together with bytes in flight they never exceed the size', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(5 * PART, 4));
    const run = bench.run(await bench.open(source, requestFor('multipart')), source, {
      control: createUploadControl({ bytesPerSecond: 25 * MiB }),
    });
    await run.result;
    const progress = run.eventsOf('progress');
    let stored = 0;
    for (const { storedBytes, inFlightBytes, size, partsStored } of progress) {
      expect(storedBytes).toBeGreaterThanOrEqual(stored);
      expect(storedBytes + inFlightBytes).toBeLessThanOrEqual(size);
      expect(storedBytes).toBe(partsStored * PART);
      stored = storedBytes;
    }
    expect(progress.some(({ inFlightBytes }) => inFlightBytes > 0)).toBe(true);
    expect(progress.at(-1)).toMatchObject({ storedBytes: source.size, inFlightBytes: 0, partsStored: 5, secondsRemaining: 0 });
    expect(run.events.map(({ type }) => type)).toContain('finishing');
    expect(run.events[0]).toMatchObject({ type: 'session' });
  });

  it('has no more bodies on their way than it may, and two more parts that wait for their answer or their turn', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(8 * PART, 5));
    await bench.run(await bench.open(source, requestFor('multipart')), source, { concurrency: 1 }).result;
    expect(bench.proxy.mostAtOnce).toBeLessThanOrEqual(3);
    expect(bench.proxy.puts.length).toBe(8);
  });

  it('reads a fresh file twice, once to sign it and once to send it, and never more', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(3 * PART, 6));
    const session = await bench.open(source, requestFor('multipart'));
    source.reads.length = 0;
    await bench.run(session, source).result;
    expect(source.reads.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(2 * source.size);
  });

  it('can be watched at the control plane while it runs', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(3 * PART, 7));
    const session = await bench.open(source, requestFor('chunked'));
    let release = () => {};
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    bench.proxy.plan = ({ partNumber }) => (partNumber === 3 ? held : undefined);
    const run = bench.run(session, source);
    await expect
      .poll(async () => bench.controlPlane.progress(session.sessionId), { timeout: 60_000 })
      .toMatchObject({ status: 'open', storedBytes: 2 * PART, partsStored: 2, partCount: 3 });
    release();
    await run.result;
    expect(await bench.controlPlane.progress(session.sessionId)).toMatchObject({ status: 'completed', storedBytes: source.size });
  });
});

describe('a resumed upload', () => {
  it('sends what the store lacks and nothing else, after it has compared what is there', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(5 * PART + 99, 8);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor('multipart'));
    await bench.storeParts(session, bytes, [2, 4, 6]);
    const run = bench.run(session, source);
    expect(await run.result).toMatchObject({ bytes: bytes.length, bytesSent: 3 * PART });
    expect([...bench.proxy.puts].sort()).toEqual([1, 3, 5]);
    expect(run.eventsOf('verifying').at(-1)).toMatchObject({ verifiedBytes: 2 * PART + 99, totalBytes: 2 * PART + 99 });
    // On a busy machine there may be figures before the store was asked.
    const [first] = run.eventsOf('progress').filter(({ partsStored }) => partsStored > 0);
    expect(first).toMatchObject({ storedBytes: 2 * PART + 99, partsStored: 3 });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('sends nothing when everything is stored, and completes', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 9);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor('multipart'));
    await bench.storeParts(session, bytes, [1, 2]);
    expect(await bench.run(session, source).result).toMatchObject({ status: 'completed', bytesSent: 0 });
    expect(bench.proxy.puts).toEqual([]);
  });

  it('reads no stored part that the caller vouches for', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 10);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor('multipart'));
    await bench.storeParts(session, bytes, [1, 3]);
    source.reads.length = 0;
    const knownChecksums = new Map([
      [1, checksumOf(bytes.subarray(0, PART))],
      [3, checksumOf(bytes.subarray(2 * PART))],
    ]);
    const run = bench.run(session, source, { knownChecksums });
    expect(await run.result).toMatchObject({ bytesSent: PART, checksum: checksumOf(bytes) });
    expect(source.reads.every(({ start, end }) => start === PART && end === 2 * PART)).toBe(true);
    expect(run.eventsOf('verifying')).toEqual([]);
  });

  it('is the same session as long as it runs, and nothing is sent once it has completed', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 11);
    const session = await bench.open(recordedSource(bytes), requestFor('multipart'));
    await bench.run(session, recordedSource(bytes)).result;
    const again = recordedSource(bytes, { name: 'video.mp4' });
    const found = await bench.open(again, requestFor('multipart'));
    expect(found).toMatchObject({ sessionId: session.sessionId, status: 'completed' });
    expect(await bench.run(found, again).result).toMatchObject({
      status: 'completed',
      bytesSent: 0,
      checksum: checksumOf(bytes),
    });
    expect(bench.proxy.puts.length).toBe(2);
  });

  it('is refused for a session that has ended, and for a file of another size', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 12));
    const session = await bench.open(source, requestFor('multipart'));
    await expect(bench.run(session, recordedSource(seededBytes(PART + 1, 12))).result).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
    });
    const aborted = await bench.controlPlane.abort(session.sessionId);
    await expect(bench.run(aborted, source).result).rejects.toMatchObject({
      code: 'SESSION_NOT_OPEN',
      facts: { sessionStatus: 'aborted' },
    });
    expect(bench.proxy.puts).toEqual([]);
  });
});

describe('an interrupted upload', () => {
  it('lets what is on the wire arrive, begins nothing more, and says what is stored', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(5 * PART, 13);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor('chunked'));
    const interruption = new AbortController();
    bench.proxy.plan = () => {
      interruption.abort();
      return undefined;
    };
    const run = bench.run(session, source, {
      signal: interruption.signal,
      control: createUploadControl({ bytesPerSecond: 20 * MiB }),
    });
    await expect(run.result).rejects.toMatchObject({ code: 'INTERRUPTED', facts: { storedBytes: PART, size: bytes.length } });
    expect(bench.proxy.puts).toEqual([1]);
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', storedBytes: PART });

    bench.proxy.plan = () => undefined;
    expect(await bench.run(session, source).result).toMatchObject({ bytesSent: bytes.length - PART });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('cuts what is on the wire when the time to drain is over', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(2 * PART, 14));
    const session = await bench.open(source, requestFor('chunked'));
    const interruption = new AbortController();
    bench.proxy.plan = () => {
      interruption.abort();
      return { stallAfter: 1 };
    };
    const run = bench.run(session, source, { signal: interruption.signal, drainMs: 100 });
    await expect(run.result).rejects.toMatchObject({ code: 'INTERRUPTED', facts: { storedBytes: 0 } });
    bench.proxy.plan = () => undefined;
    expect(await bench.run(session, source).result).toMatchObject({ status: 'completed', bytesSent: source.size });
  });

  it('lets what is on the wire arrive also while stored parts are still being compared', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 15);
    const interruption = new AbortController();
    let compareOn = () => {};
    const compared = new Promise<void>((resolve) => {
      compareOn = resolve;
    });
    let open = false;
    const source = recordedSource(bytes, { beforePiece: (start) => (open && start === PART - 65_536 ? compared : undefined) });
    const session = await bench.open(source, requestFor('chunked'));
    await bench.storeParts(session, bytes, [1]);
    open = true;
    bench.proxy.plan = () => {
      interruption.abort();
      compareOn();
      return undefined;
    };
    const run = bench.run(session, source, {
      signal: interruption.signal,
      control: createUploadControl({ bytesPerSecond: 20 * MiB }),
    });
    await expect(run.result).rejects.toMatchObject({ code: 'INTERRUPTED', facts: { storedBytes: 2 * PART } });
    expect(bench.proxy.puts).toEqual([2]);
  });

  it('does not wait for the next attempt at a part that failed', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 16));
    const session = await bench.open(source, requestFor('chunked'));
    const interruption = new AbortController();
    bench.proxy.plan = () => ({ answer: 503, code: 'SlowDown', retryAfter: 60 });
    const run = bench.run(session, source, { signal: interruption.signal, drainMs: 60_000 });
    await run.first('retry');
    interruption.abort();
    await expect(run.result).rejects.toMatchObject({ code: 'INTERRUPTED' });
    bench.proxy.plan = () => ({ answer: 500, code: 'InternalError' });
    const second = new AbortController();
    const failing = bench.run(session, source, { signal: second.signal, drainMs: 60_000 });
    await failing.first('retry');
    second.abort();
    await expect(failing.result).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(bench.proxy.puts).toEqual([1, 1]);
  });

  it('sends nothing when it was interrupted before it began', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART, 17));
    const session = await bench.open(source, requestFor('chunked'));
    await expect(bench.run(session, source, { signal: AbortSignal.abort() }).result).rejects.toMatchObject({
      code: 'INTERRUPTED',
    });
    expect(bench.proxy.puts).toEqual([]);
  });

  it('is interrupted, too, while a completed object is compared with the file', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(PART, 18);
    const source = recordedSource(bytes);
    const session = await bench.open(source, requestFor('chunked'));
    await bench.run(session, source).result;
    const completed = await bench.controlPlane.get(session.sessionId);
    const interruption = new AbortController();
    const slow = recordedSource(bytes, { beforePiece: () => interruption.abort() });
    await expect(bench.run(completed, slow, { signal: interruption.signal }).result).rejects.toMatchObject({
      code: 'INTERRUPTED',
      facts: { size: PART },
    });
  });
});
