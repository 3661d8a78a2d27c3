import { defineCommand } from 'citty';
import { migrateStore } from '../admin/host.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';

const command = defineCommand({
  meta: {
    name: 'migrate-store',
    description: 'Copy a stopped server from its SQLite file to an empty PostgreSQL database: sessions, parts, tokens, events',
  },
  args: { json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const moved = await migrateStore(context);
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ type: 'migrated', rows: moved })}\n`);
      return EXIT.ok;
    }
    for (const [table, rows] of Object.entries(moved)) context.stdout.write(`${table.padEnd(18)} ${rows}\n`);
    context.stderr.write(
      'Copied. From now on, set PARTWAY_DATABASE_URL to what PARTWAY_TARGET_DATABASE_URL was. Keep the SQLite file as a backup,\nand start no server on it again.\n',
    );
    return EXIT.ok;
  },
});

export default {
  command,
  examples: ['PARTWAY_TARGET_DATABASE_URL=postgres://partway:…@db/partway partway migrate-store'],
  environment: [
    ['PARTWAY_DATABASE_URL', 'Path of the SQLite file, as `partway serve` had it'],
    [
      'PARTWAY_TARGET_DATABASE_URL',
      'The PostgreSQL database; not an argument, since those are seen by every user of the machine',
    ],
  ],
} satisfies CommandModule;
