import { defineCommand } from 'citty';
import { HOST_ERROR_CODES } from '../../session/host-errors.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { ServerFailed } from '../errors/server-failed.ts';
import { type CommandModule, contextOf } from '../input/command.ts';
import { UsageError } from '../input/usage-error.ts';

const command = defineCommand({
  meta: { name: 'serve', description: 'Run the control plane until SIGTERM or Ctrl-C' },
  async run({ data }) {
    const { env } = contextOf(data);
    try {
      // Only this command needs the server, the database and the S3 SDK: loading them takes longer than most commands run.
      const { main } = await import('../../server/main.ts');
      await main(env);
    } catch (error) {
      throw explainStartFailure(error);
    }
    return EXIT.ok;
  },
});

/** Recognises wrong settings by the code, because importing the classes would load the server for every other command's help. */
function explainStartFailure(error: unknown): Error {
  const { code, faults, state } = error as { code?: unknown; faults?: unknown; state?: unknown };
  if (code === HOST_ERROR_CODES.settings && Array.isArray(faults)) {
    return new UsageError(faults.map(String), 'Set these and run it again. All settings: partway serve --help');
  }
  // A supervisor need not start it again if only other settings help.
  const isWrongSetting = code === HOST_ERROR_CODES.databaseUnusable && state === undefined;
  return new ServerFailed(error, isWrongSetting ? EXIT.usage : EXIT.failure);
}

export default {
  command,
  examples: [
    'PARTWAY_S3_ENDPOINT=http://127.0.0.1:9000 PARTWAY_S3_BUCKET=videos \\\n  PARTWAY_S3_ACCESS_KEY_ID=… PARTWAY_S3_SECRET_ACCESS_KEY=… partway serve',
  ],
  // The server has the one table of settings. It imports nothing of weight.
  environment: async () => (await import('../../server/settings/settings-table.ts')).settingRows(),
} satisfies CommandModule;
