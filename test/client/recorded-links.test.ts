import { describe, expect, it } from 'vitest';
import { createFlightController } from '../../src/client/flow/parts-in-flight.ts';
import { MiB } from '../../src/session/part-plan.ts';
import recorded from './link-profiles.json' with { type: 'json' };

/** Bytes in each half second, by the number of connections: recorded by test/bench/network/record-links.ts. */
type Profile = Readonly<Record<string, readonly number[]>>;

const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const perSecond = (samples: readonly number[]) => (mean(samples) * 1_000) / recorded.sampleMs;

/** Bytes in one half second. Between two numbers of connections that were recorded, in proportion. */
function carriedBy(profile: Profile, connections: number, sample: number): number {
  const known = Object.keys(profile).map(Number);
  const below = Math.max(...known.filter((count) => count <= connections));
  const above = Math.min(...known.filter((count) => count >= connections));
  const share = above === below ? 0 : (connections - below) / (above - below);
  const [low = [], high = []] = [profile[below], profile[above]];
  return (low[sample % low.length] ?? 0) * (1 - share) + (high[sample % high.length] ?? 0) * share;
}

/** Runs the controller over the recording, again and again: what it chose, and what the link carried by that. */
function replay(profile: Profile, seconds: number) {
  const controller = createFlightController();
  const steps: { at: number; limit: number; bytesPerSecond: number }[] = [];
  for (let at = 0; at < seconds * 1_000; at += recorded.sampleMs) {
    const bytes = carriedBy(profile, controller.limit, at / recorded.sampleMs);
    const bytesPerSecond = (bytes * 1_000) / recorded.sampleMs;
    steps.push({ at, limit: controller.limit, bytesPerSecond });
    controller.window({ at: at + recorded.sampleMs, bytesPerSecond, saturated: true, partSize: 8 * MiB });
  }
  return steps;
}

describe.each(Object.entries(recorded.links))(
  'on a recorded link of %s, the number of parts in flight',
  (link, profile: Profile) => {
    const steps = replay(profile, 120);
    const best = Math.max(...Object.values(profile).map(perSecond));
    const enough = Math.min(
      ...Object.entries(profile)
        .filter(([, samples]) => perSecond(samples) >= 0.95 * best)
        .map(([connections]) => Number(connections)),
    );

    // At 10 % loss a link stops for seconds again and again: what one part more brings can hardly be told from that.
    const share = link.includes('10 %') ? 0.8 : 0.97;

    it(`carries at least ${share} of what the best number does`, () => {
      const carried = mean(steps.filter(({ at }) => at >= 10_000).map(({ bytesPerSecond }) => bytesPerSecond));
      expect(carried / best).toBeGreaterThan(share);
    });

    it('stays near the smallest that is enough: what is in flight is lost when the link breaks', () => {
      const limits = steps.filter(({ at }) => at >= 10_000).map(({ limit }) => limit);
      expect(mean(limits)).toBeLessThanOrEqual(enough + 2);
    });
  },
);
