import { describe, expect, it } from 'vitest';
import { nestsTooDeep } from '../../../src/server/limits/json-depth.ts';

const lists = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('a body nests too deep', () => {
  it.each([
    ['by lists', lists(9)],
    ['by objects', `${'{"a":'.repeat(9)}1${'}'.repeat(9)}`],
    ['by lists that are never closed', '['.repeat(9)],
    ['after a text with an escaped quote', `{"a":"\\"","b":${lists(9)}}`],
    ['after a text that ends in a backslash', `{"a":"\\\\","b":${lists(9)}}`],
  ])('%s', (_, json) => {
    expect(nestsTooDeep(json)).toBe(true);
  });

  it.each([
    ['8 lists', lists(8)],
    ['many lists side by side', `[${Array(1_000).fill('[[]]').join(',')}]`],
    ['brackets in a text', JSON.stringify({ fileName: '[{'.repeat(50) })],
    ['brackets behind an escaped quote', JSON.stringify({ fileName: `"${'['.repeat(50)}` })],
    ['nothing', ''],
  ])('not by %s', (_, json) => {
    expect(nestsTooDeep(json)).toBe(false);
  });
});
