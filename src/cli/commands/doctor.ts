import { defineCommand } from 'citty';
import { S3_LIMITS } from '../../session/part-plan.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';
import { type OutputStyle, paint, styleOf } from '../terminal/output-style.ts';
import { type StyledText, styled } from '../terminal/styled-text.ts';

const command = defineCommand({
  meta: {
    name: 'doctor',
    description: 'Check everything an upload needs, with a real part that is discarded again, and say what to do',
  },
  args: {
    size: { type: 'string', valueHint: 'size', description: 'Size of the part that is sent: 16MiB (default), 64MiB, …' },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const style = styleOf(context.stdout, context);
    const reader = new FlagReader();
    const size = readSize(reader, flags.size);
    reader.check('doctor');
    let failures = 0;
    for await (const finding of examine(context, size)) {
      if (finding.outcome === 'fail') failures++;
      context.stdout.write(flags.json ? `${JSON.stringify({ type: 'finding', ...finding })}\n` : renderFinding(finding, style));
    }
    const isHealthy = failures === 0;
    if (flags.json) context.stdout.write(`${JSON.stringify({ type: 'summary', healthy: isHealthy, failures })}\n`);
    else
      context.stdout.write(isHealthy ? 'Uploads can start.\n' : `${failures === 1 ? '1 check' : `${failures} checks`} failed.\n`);
    return isHealthy ? EXIT.ok : EXIT.failure;
  },
});

function readSize(reader: FlagReader, text: string | undefined): number | undefined {
  const size = reader.size('size', text);
  if (size !== undefined && (size < 1 || size > S3_LIMITS.maxPartSize)) reader.fault('--size: a part has from 1 byte to 5 GiB.');
  return size;
}

const COLOURS = { ok: 'green', info: 'cyan', warn: 'yellow', fail: 'red' } as const;

export function renderFinding({ check, outcome, detail, advice }: Finding, style: Pick<OutputStyle, 'colour'>): StyledText {
  const word = paint(outcome.padEnd(4), COLOURS[outcome], style);
  if (advice === undefined) return styled`${word}  ${check}: ${detail}\n`;
  return styled`${word}  ${check}: ${detail}\n      ${advice}\n`;
}

export default {
  command,
  examples: ['partway doctor', 'partway doctor --size 64MiB   as large as your parts are', 'partway doctor --json'],
} satisfies CommandModule;
