import { describe, expect, it } from 'vitest';
import {
  decideNetwork,
  decideStrategy,
  type NetworkVerdict,
  type StrategyQuestion,
} from '../../../src/cli/upload/strategy-choice.ts';

const MB = 1_000_000;
const RELIABLE: NetworkVerdict = { network: 'reliable', reason: '8 probes were answered' };
const LOSSY: NetworkVerdict = { network: 'unreliable', reason: '1 of 8 probes got no answer' };
const TROUBLE = { kind: 'interrupted', at: new Date(2026, 10, 20, 14, 2) } as const;

function aQuestion(overrides: Partial<StrategyQuestion> = {}) {
  const asked: string[] = [];
  const question: StrategyQuestion = {
    size: 500 * MB,
    strategy: undefined,
    network: 'auto',
    partSize: undefined,
    latestTrouble: async () => void asked.push('journal'),
    probe: async () => {
      asked.push('probe');
      return RELIABLE;
    },
    ...overrides,
  };
  return { question, asked };
}

describe('decideNetwork', () => {
  it('believes the probe when the journal knows of no trouble', () => {
    expect(decideNetwork(undefined, LOSSY)).toBe(LOSSY);
    expect(decideNetwork(undefined, RELIABLE)).toBe(RELIABLE);
  });

  it('calls a link that broke a recent upload unreliable, whatever the probe says', () => {
    expect(decideNetwork(TROUBLE, RELIABLE)).toEqual({
      network: 'unreliable',
      reason: 'an upload to this server was interrupted on Fri 20 Nov 2026 14:02',
    });
  });

  it('says when an upload stalled', () => {
    expect(decideNetwork({ ...TROUBLE, kind: 'stalled' }, undefined).reason).toContain('stalled on');
  });
});

describe('decideStrategy', () => {
  it.each([
    [99_999_999, 'single', 'the file is smaller than 100 MB'],
    [1_000_000_001, 'multipart', 'the file is larger than 1 GB'],
  ])('needs neither journal nor probe for %i bytes', async (size, strategy, reason) => {
    const { question, asked } = aQuestion({ size });
    expect(await decideStrategy(question)).toEqual({ strategy, network: undefined, reason });
    expect(asked).toEqual([]);
  });

  it.each([100 * MB, 1000 * MB])('asks journal and probe for %i bytes', async (size) => {
    const { question, asked } = aQuestion({ size });
    const choice = await decideStrategy(question);
    expect(choice).toEqual({
      strategy: 'single',
      network: 'reliable',
      reason: 'the network is reliable: 8 probes were answered',
    });
    expect(asked).toEqual(['journal', 'probe']);
  });

  it('chooses chunked when a probe was lost', async () => {
    const { question } = aQuestion({ probe: async () => LOSSY });
    expect(await decideStrategy(question)).toMatchObject({ strategy: 'chunked', network: 'unreliable' });
  });

  it('skips the probe if the journal holds an interrupted upload', async () => {
    const { question, asked } = aQuestion({ latestTrouble: async () => TROUBLE });
    expect(await decideStrategy(question)).toMatchObject({ strategy: 'chunked', network: 'unreliable' });
    expect(asked).toEqual([]);
  });

  it('follows --network and --strategy without asking journal or probe', async () => {
    const byNetwork = aQuestion({ network: 'unreliable' });
    expect(await decideStrategy(byNetwork.question)).toMatchObject({
      strategy: 'chunked',
      reason: 'the network is unreliable: --network says so',
    });
    const byStrategy = aQuestion({ strategy: 'multipart' });
    expect(await decideStrategy(byStrategy.question)).toMatchObject({ strategy: 'multipart', reason: '--strategy says so' });
    expect([...byNetwork.asked, ...byStrategy.asked]).toEqual([]);
  });

  it('cuts by --part-size the same way every time, so that the session is found again', async () => {
    const { question, asked } = aQuestion({ partSize: 16 * MB, latestTrouble: async () => TROUBLE });
    expect(await decideStrategy(question)).toEqual({ strategy: 'multipart', network: undefined, reason: '--part-size says so' });
    expect(asked).toEqual([]);
    expect(await decideStrategy({ ...question, partSize: 500 * MB })).toMatchObject({ strategy: 'single' });
    expect(await decideStrategy({ ...question, network: 'unreliable' })).toMatchObject({ strategy: 'chunked' });
  });
});
