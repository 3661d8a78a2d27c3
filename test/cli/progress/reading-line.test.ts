import { expect, it } from 'vitest';
import { ReadingLine } from '../../../src/cli/progress/reading-line.ts';
import { aContext, NOON, TextCollector } from '../../support/client/cli-run.ts';

it('the line about reading a file goes on after the wall clock was set back', () => {
  let now = NOON;
  const context = aContext({ stderr: new TextCollector({ columns: 80 }), now: () => now });
  const line = new ReadingLine(context, 100);
  line.advance(10);
  now -= 3_600_000;
  line.advance(10);
  expect(context.stderr.text).toContain('20 %');
});
