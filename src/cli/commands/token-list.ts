import { defineCommand } from 'citty';
import { HOST_ENVIRONMENT, type TokenWithUsage, withTokenAdmin } from '../admin/host.ts';
import { describeLimits, stateOf } from '../admin/token-text.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { formatInstant } from '../format/durations.ts';
import { formatSize } from '../format/sizes.ts';
import { renderTable } from '../format/table.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';

const command = defineCommand({
  meta: { name: 'list', description: "List the tokens, on the server's host, but not their secrets" },
  args: { json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const tokens = await withTokenAdmin(context, (admin) => admin.list());
    if (flags.json) for (const { hash: _, ...shown } of tokens) context.stdout.write(`${JSON.stringify(shown)}\n`);
    else context.stdout.write(renderTokens(tokens, context.now()));
    return EXIT.ok;
  },
});

export function renderTokens(tokens: readonly TokenWithUsage[], now: number): string {
  if (tokens.length === 0) return 'No tokens.\n';
  const rows = tokens.map((token) => [
    token.tokenId,
    token.name,
    token.scopes.join(','),
    stateOf(token, now),
    formatInstant(new Date(token.createdAt)),
    formatSize(token.usage.settledBytes),
    formatSize(token.usage.reservedBytes),
    describeLimits(token).join('; ') || 'none',
  ]);
  return renderTable(['ID', 'NAME', 'SCOPES', 'STATE', 'CREATED', 'COMPLETED', 'RESERVED', 'LIMITS'], rows, [5, 6]);
}

export default {
  command,
  examples: ['partway token list', 'partway token list --json   one token a line'],
  environment: HOST_ENVIRONMENT,
} satisfies CommandModule;
