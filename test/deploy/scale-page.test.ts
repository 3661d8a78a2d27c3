import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(path, 'utf8');
const settingsIn = (text: string) => [...new Set(text.match(/\bPARTWAY_[A-Z0-9_]+/g))];

it('docs/scale.md names only settings that docs/server.md explains, and those of the balancer', () => {
  const known = settingsIn(read('docs/server.md') + read('deploy/haproxy.cfg'));
  const named = settingsIn(read('docs/scale.md'));
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(10);
});
