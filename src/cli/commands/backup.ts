import { defineCommand } from 'citty';
import { backUpDatabase, HOST_ENVIRONMENT } from '../admin/host.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { formatSize } from '../format/sizes.ts';
import { absolutePath } from '../input/absolute-path.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';

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
  environment: HOST_ENVIRONMENT,
} satisfies CommandModule;
