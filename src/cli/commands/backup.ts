import { defineCommand } from 'citty';
import { type CommandModule, contextOf, JSON_FLAG } from '../arguments/command.ts';
import { EXIT } from '../failures/exit-codes.ts';
import { formatSize } from '../output/sizes.ts';
import { absolutePath } from '../sending.ts';
import { backUpDatabase } from '../server-side/backup.ts';
import { MACHINE_ENVIRONMENT } from '../server-side/token-admin.ts';

const command = defineCommand({
  meta: { name: 'backup', description: "Copy the server's SQLite database to a file, while the server runs" },
  args: { file: { type: 'positional', description: 'A new file', required: true }, json: JSON_FLAG },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [file = ''] = flags._;
    const path = absolutePath(context, file);
    const bytes = await backUpDatabase(context, path);
    const text = flags.json ? JSON.stringify({ type: 'backup', path, bytes }) : `wrote ${path}, ${formatSize(bytes)}`;
    context.stdout.line(text);
    return EXIT.ok;
  },
});

export default {
  command,
  examples: [
    'partway backup /backup/partway-$(date +%F).db',
    'To restore: stop the server, put the copy in the place of the database, remove its -wal and -shm files, start it',
  ],
  environment: MACHINE_ENVIRONMENT,
} satisfies CommandModule;
