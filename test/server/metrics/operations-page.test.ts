import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ServiceBench } from '../../support/server/control-plane.ts';

const page = readFileSync('docs/operations.md', 'utf8');

function registered(): string[] {
  const { metrics } = new ServiceBench();
  metrics.watchProcess().stop();
  return metrics.names().filter((name) => name.startsWith('partway_'));
}

it('docs/operations.md explains every metric of partway in its table, and no other', () => {
  const rows = [...page.matchAll(/^\| `(partway_\w+)/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual(registered().sort());
});

it('and what it says elsewhere of metrics, as in alerts, names series that exist', () => {
  const series = new Set(registered().flatMap((name) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]));
  const named = page.match(/\bpartway_\w+/g) ?? [];
  expect(named.filter((name) => !series.has(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(registered().length);
});
