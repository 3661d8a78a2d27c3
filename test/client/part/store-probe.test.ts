import { describe, expect, it } from 'vitest';
import { createPartUrls } from '../../../src/client/part/part-urls.ts';
import { createStoreProbe } from '../../../src/client/part/store-probe.ts';
import type { PresignedPart } from '../../../src/contract/wire.ts';
import { aClosedPort, startPartServer, takePart } from '../../support/store/part-server.ts';

const { signal } = new AbortController();

function aPart(origin: string): PresignedPart {
  const expiresAt = '2026-11-23T13:00:00.000Z';
  return {
    partNumber: 1,
    method: 'PUT',
    url: `${origin}/bucket/key?X-Amz-Signature=0`,
    headers: {},
    start: 0,
    end: 1,
    expiresAt,
  };
}

async function aStore(): Promise<string> {
  return new URL((await startPartServer(takePart)).url).origin;
}

const anEmptyAddress = async () => `http://127.0.0.1:${await aClosedPort()}`;

/** A probe of a store at `address`, whose server signs for `signsFor()`. */
async function aProbe(address: string, signsFor: () => string | undefined) {
  let at = 0;
  let signedFor = address;
  const asked: number[] = [];
  const moves: string[] = [];
  const puts: string[] = [];
  const urls = createPartUrls({
    plan: { strategy: 'single', partSize: 1, partCount: 1 },
    size: 1,
    presign: async () => ({ parts: [aPart(signedFor)] }),
    presignOnce: async () => {
      asked.push(at);
      const origin = signsFor();
      if (origin === undefined) throw new Error('the server is away as well');
      return aPart(origin);
    },
    onMoved: (from, to) => moves.push(`${from} ${to}`),
    now: () => at,
  });
  const probe = createStoreProbe({
    urls,
    answered: new Set(),
    putNothing: async ({ url }) => {
      puts.push(new URL(url).origin);
      if (url.startsWith(address)) throw new Error('something else answered');
    },
  });
  const signFor = async (origin: string) => {
    signedFor = origin;
    await urls.sign(1, 'AAAAAA==');
  };
  await signFor(address);
  return {
    probe,
    urls,
    signFor,
    asked,
    moves,
    puts,
    pass(ms: number) {
      at += ms;
    },
  };
}

describe('a probe of the store', () => {
  it('asks the server for another address where nothing answers, and goes there', async () => {
    const [before, after] = [await anEmptyAddress(), await aStore()];
    const { probe, urls, moves } = await aProbe(before, () => after);
    await expect(probe.probe(signal)).rejects.toThrow('ECONNREFUSED');
    await probe.probe(signal);
    expect(moves).toEqual([`${before} ${after}`]);
    expect([urls.isCurrent(aPart(before)), urls.isCurrent(aPart(after))]).toEqual([false, true]);
  });

  it('remembers the addresses that have answered, and no others', async () => {
    const { probe: there, signFor } = await aProbe(await aStore(), () => undefined);
    expect(there.hasAnswered()).toBe(false);
    await there.probe(signal);
    expect(there.hasAnswered()).toBe(true);
    await signFor(await anEmptyAddress());
    expect(there.hasAnswered()).toBe(false);
    there.trust();
    expect(there.hasAnswered()).toBe(true);
  });

  it('asks the server at most every 5 s, even while the server is away', async () => {
    const scene = await aProbe(await anEmptyAddress(), () => undefined);
    for (let second = 0; second < 12; second++) {
      await expect(scene.probe.probe(signal)).rejects.toThrow();
      scene.pass(1_000);
    }
    expect(scene.asked).toEqual([0, 5_000, 10_000]);
    expect(scene.moves).toEqual([]);
  });

  it('does not ask the server where the store answers', async () => {
    const store = await aStore();
    const { probe, asked } = await aProbe(store, () => store);
    await probe.probe(signal);
    expect(asked).toEqual([]);
  });

  it('believes only the answer to an empty PUT once something else has answered a part', async () => {
    const [before, after] = [await aStore(), await aStore()];
    const { probe, puts } = await aProbe(before, () => after);
    probe.suspect(aPart(before));
    await expect(probe.probe(signal)).rejects.toThrow('something else answered');
    await probe.probe(signal);
    expect(puts).toEqual([before, after]);
    probe.sends(2);
    await probe.probe(signal);
    expect(puts).toHaveLength(3);
    probe.sends(1);
    await probe.probe(signal);
    expect(puts).toHaveLength(3);
  });
});
