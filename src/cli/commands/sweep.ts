import { defineCommand } from 'citty';
import { HOST_ENVIRONMENT, type PlannedSweep, planSweep } from '../admin/host.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { formatInstant } from '../format/durations.ts';
import { formatSize } from '../format/sizes.ts';
import { renderTable } from '../format/table.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';
import { UsageError } from '../input/usage-error.ts';

const command = defineCommand({
  meta: { name: 'sweep', description: "Show what the server's sweeper would expire, repair and release now, and the bytes held" },
  args: { 'dry-run': { type: 'boolean', description: 'Change nothing; always needed' }, json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    if (flags['dry-run'] !== true)
      throw new UsageError(
        'A running server sweeps every minute by itself.',
        'To see what it would do now: partway sweep --dry-run',
      );
    const planned = await planSweep(context);
    if (flags.json) for (const each of planned) context.stdout.write(`${JSON.stringify(each)}\n`);
    else context.stdout.write(renderPlan(planned));
    return EXIT.ok;
  },
});

function renderPlan(planned: readonly PlannedSweep[]): string {
  if (planned.length === 0) return 'Nothing to sweep.\n';
  const rows = planned.map(({ action, sessionId, status, heldBytes, since, bucket, key }) => [
    action,
    sessionId,
    status,
    heldBytes === null ? '' : formatSize(heldBytes),
    since === null ? '' : formatInstant(new Date(since)),
    `${bucket}/${key}`,
  ]);
  const expiring = planned.filter(({ action }) => action === 'expire');
  const held = expiring.reduce((sum, { heldBytes }) => sum + (heldBytes ?? 0), 0);
  const total = `${expiring.length} would expire and give back ${formatSize(held)}; ${planned.length - expiring.length} to repair or release\n`;
  const table = renderTable(['ACTION', 'SESSION', 'STATUS', 'HELD', 'SINCE', 'OBJECT'], rows, [3]);
  return table + total + (expiring.length === 0 ? '' : HELD_NOTE);
}

/** The command knows neither how long the server has run nor which clocks the server compares with its own. */
const HELD_NOTE =
  'By the clock of this host, now. A running server expires nothing within PARTWAY_EXPIRY_HOLD of its start or while its clock is in doubt.\n';

export default {
  command,
  examples: ['partway sweep --dry-run', 'partway sweep --dry-run --json   one a line'],
  environment: [
    ...HOST_ENVIRONMENT,
    ['PARTWAY_SESSION_TTL', 'A session expires this long after its last activity, as `partway serve` has it (7d)'],
  ],
} satisfies CommandModule;
