import { chooseStrategy, type Network, type Strategy } from '../../session/strategy.ts';
import { formatInstant } from '../format/durations.ts';
import type { Trouble } from '../journal/journal.ts';

export interface NetworkVerdict {
  readonly network: Network;
  /** Completes the sentence "the network is …: ". */
  readonly reason: string;
}

/** Judges the network: a link that broke an upload lately is unreliable whatever one probe says; otherwise the probe decides. */
export function decideNetwork(trouble: Trouble | undefined, probe: NetworkVerdict | undefined): NetworkVerdict {
  if (trouble === undefined) return probe ?? { network: 'reliable', reason: 'nothing says otherwise' };
  const what = trouble.kind === 'stalled' ? 'stalled' : 'was interrupted';
  return { network: 'unreliable', reason: `an upload to this server ${what} on ${formatInstant(trouble.at)}` };
}

export interface StrategyQuestion {
  readonly size: number;
  readonly strategy: Strategy | undefined;
  readonly network: 'auto' | Network;
  readonly partSize: number | undefined;
  readonly latestTrouble: () => Promise<Trouble | undefined>;
  readonly probe: () => Promise<NetworkVerdict>;
}

export interface StrategyChoice {
  readonly strategy: Strategy;
  /** Undefined where the network makes no difference. */
  readonly network: Network | undefined;
  /** Completes the sentence "strategy: …, because ". */
  readonly reason: string;
}

/** Applies the decision matrix of session/strategy.ts with as little effort as the case needs: most files need no probe. */
export async function decideStrategy(question: StrategyQuestion): Promise<StrategyChoice> {
  const { size, strategy, partSize } = question;
  if (strategy !== undefined) return { strategy, network: undefined, reason: '--strategy says so' };
  const sizeAlone = chooseStrategy(size, 'reliable');
  if (sizeAlone === 'multipart') return { strategy: sizeAlone, network: undefined, reason: 'the file is larger than 1 GB' };
  if (partSize !== undefined) return cutByPartSize(question, partSize);
  if (sizeAlone === chooseStrategy(size, 'unreliable')) {
    return { strategy: sizeAlone, network: undefined, reason: 'the file is smaller than 100 MB' };
  }
  const { network, reason } = await judgeNetwork(question);
  return { strategy: chooseStrategy(size, network), network, reason: `the network is ${network}: ${reason}` };
}

/** A part size asks for parts. No probe is made: the same command must find its session again with the same plan. */
function cutByPartSize({ size, network }: StrategyQuestion, partSize: number): StrategyChoice {
  const reason = '--part-size says so';
  if (partSize >= size) return { strategy: 'single', network: undefined, reason };
  return { strategy: network === 'unreliable' ? 'chunked' : 'multipart', network: undefined, reason };
}

async function judgeNetwork({ network, latestTrouble, probe }: StrategyQuestion): Promise<NetworkVerdict> {
  if (network !== 'auto') return { network, reason: '--network says so' };
  const trouble = await latestTrouble();
  // With a memory of trouble the verdict is clear, and the probe's seconds are saved.
  return decideNetwork(trouble, trouble === undefined ? await probe() : undefined);
}
