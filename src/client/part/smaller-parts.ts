import { MiB, type PartPlan, S3_LIMITS } from '../../session/part-plan.ts';
import { MULTIPART_ABOVE, type Strategy } from '../../session/strategy.ts';
import type { CutPattern } from '../network/cut-pattern.ts';

/** The reason why parts of the current size do not get through. */
export type Obstacle = CutPattern | { readonly by: 'refusal' };

export interface SmallerPlan {
  readonly strategy: Strategy;
  readonly partSize: number;
}

/** Share of the bytes that got through before a cut: speeds vary, and bytes in buffers had not arrived when they were cut. */
const SAFE_SHARE = 0.5;

/**
 * Plans smaller parts where the present ones do not get through: at most half as large, and as small as the cuts suggest. Undefined
 * where S3's limits allow no such plan, or where the cuts show that even the smallest part is too large.
 */
export function planSmallerParts(plan: PartPlan, size: number, obstacle: Obstacle): SmallerPlan | undefined {
  const smallest = smallestPartSize(size);
  const half = Math.floor(plan.partSize / 2 / MiB) * MiB;
  const wanted = obstacle.by === 'refusal' ? half : Math.min(half, Math.floor((obstacle.leastBytes * SAFE_SHARE) / MiB) * MiB);
  const partSize = Math.max(smallest, wanted);
  if (partSize >= plan.partSize || partSize >= size) return undefined;
  if (obstacle.by === 'size' && obstacle.mostBytes < partSize) return undefined;
  return { strategy: plan.strategy === 'single' ? strategyFor(size) : plan.strategy, partSize };
}

/** S3 takes no smaller parts, except for the last, and no more than 10,000 of them. */
export function smallestPartSize(size: number): number {
  return Math.max(S3_LIMITS.minPartSize, Math.ceil(size / S3_LIMITS.maxPartCount / MiB) * MiB);
}

function strategyFor(size: number): Strategy {
  return size > MULTIPART_ABOVE ? 'multipart' : 'chunked';
}
