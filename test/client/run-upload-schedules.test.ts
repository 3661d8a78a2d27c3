import { describe, expect, it } from 'vitest';
import { MiB } from '../../src/session/part-plan.ts';
import { recordedSource, seededBytes } from '../support/client/sources.ts';
import { isPut, type SeenRequest } from '../support/proxies/fault-proxy.ts';
import { answers, closesAfter, type Fault, losesAnswer, resetsAfter, S3_ANSWERS } from '../support/proxies/faults.ts';
import { startFaultyPaths } from '../support/proxies/faulty-paths.ts';
import { testSeed } from '../support/store/stored-bytes.ts';

const PART = 5 * MiB;
const PARTS = 5;

/** Whatever may happen to one PUT without being about the part: none of these may cost a try. */
const FAULTS_OF_THE_LINK: readonly Fault[] = [
  resetsAfter(1),
  resetsAfter(3 * MiB),
  closesAfter(MiB),
  closesAfter(PART),
  losesAnswer,
  answers(S3_ANSWERS.slowDown),
  answers(S3_ANSWERS.starting),
];

describe('a schedule of faults', () => {
  it.each([1, 2, 3])(
    'drawn at random (%i) ends in an object that is the file, and stored parts are not sent again',
    async (draw) => {
      const seed = testSeed() + draw;
      console.info(`schedule ${draw}: PARTWAY_TEST_SEED=${seed - draw}`);
      const random = seededBytes(1_024, seed);
      let drawn = 0;
      const next = (below: number) => (random[drawn++ % random.length] ?? 0) % below;

      const paths = await startFaultyPaths();
      const bytes = seededBytes(PARTS * PART - next(200) * 1_000, seed);
      const source = recordedSource(bytes);
      const session = await paths.open(source, { strategy: 'multipart', partSize: PART });
      for (let partNumber = 1; partNumber <= PARTS; partNumber++) {
        const faults = next(3);
        for (let attempt = 1; attempt <= faults; attempt++) {
          const fault = FAULTS_OF_THE_LINK[next(FAULTS_OF_THE_LINK.length)] ?? losesAnswer;
          const matches = (request: SeenRequest) =>
            isPut(request) && request.partNumber === partNumber && request.attempt === attempt;
          paths.clientToStore.inject(fault, matches, { times: 1 });
        }
      }
      const run = paths.run(session, source);
      const result = await run.result;
      expect(result, `seed ${seed - draw}`).toMatchObject({ status: 'completed', bytes: bytes.length, proof: 'full' });
      // Whatever was sent in vain is told as such, to the byte.
      expect(result.bytesSent - result.wastedBytes, `seed ${seed - draw}`).toBe(bytes.length);
      expect(Buffer.compare(await paths.readObject('video.mp4'), bytes)).toBe(0);
      for (let partNumber = 1; partNumber <= PARTS; partNumber++) {
        const outcomes = paths.clientToStore.puts.filter((put) => put.partNumber === partNumber).map(({ outcome }) => outcome);
        const stored = outcomes.findIndex((outcome) => outcome === 200 || outcome === 'answer lost');
        // A connection that is cut after the whole body leaves open whether the store has the part; if it has, that is the last attempt.
        const isStoredUnseen = stored === -1 && outcomes.at(-1) === 'cut';
        expect(
          isStoredUnseen ? [] : outcomes.slice(stored + 1),
          `part ${partNumber}, seed ${seed - draw}: ${outcomes.join(', ')}`,
        ).toEqual([]);
      }
    },
  );
});

describe('parts in flight', () => {
  it('are never more bodies at a time than the caller allows', async () => {
    // Below what the adaptive limit begins with, so that only the caller's word can hold it there.
    const concurrency = 1;
    const paths = await startFaultyPaths();
    const bytes = seededBytes(6 * PART, 51);
    const source = recordedSource(bytes);
    const read = source.read.bind(source);
    const signedParts = new Set<number>();
    let bodies = 0;
    let mostBodies = 0;
    // The first reading of a part signs it, the second one is its body: its end is when the socket took the last byte.
    source.read = async function* (start, end) {
      const isBody = end - start === PART && signedParts.has(start);
      if (end - start === PART) signedParts.add(start);
      if (isBody) mostBodies = Math.max(mostBodies, ++bodies);
      try {
        yield* read(start, end);
      } finally {
        if (isBody) bodies -= 1;
      }
    };
    const session = await paths.open(source, { strategy: 'multipart', partSize: PART });
    signedParts.clear();
    paths.clientToStore.link.bytesPerSecond = 40 * MiB;
    await paths.run(session, source, { concurrency }).result;
    expect(mostBodies).toBeGreaterThan(0);
    expect(mostBodies).toBeLessThanOrEqual(concurrency);
    expect(paths.clientToStore.puts.length).toBe(6);
  });
});
