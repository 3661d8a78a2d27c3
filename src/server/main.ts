import { atTerminal, firstTokenPath, inFile } from './access/first-token.ts';
import type { Environment } from './core/environment.ts';
import { createLog } from './core/log-output.ts';
import { readTlsPair, type TlsFiles } from './http/tls.ts';
import { parseConfig } from './settings/config.ts';
import { describeDatabase } from './settings/file-locations.ts';
import { warnOfEarlierFolder } from './settings/start-notes.ts';
import { startServer } from './start-server.ts';

const FIRST_TOKEN_IN_FILE =
  'made the first token and wrote it into a file that only this user may read: clients need it as PARTWAY_TOKEN; keep it elsewhere, then delete the file';

/** Reads the environment, starts the control plane and runs until SIGTERM or SIGINT. @throws ConfigError, or the reason why it cannot start. */
export async function main(env: Environment): Promise<void> {
  const config = parseConfig(env, faultsOfTls);
  const log = createLog();
  for (const text of config.unknown) log.warn({}, text);
  warnOfEarlierFolder(config, log);
  const firstToken = process.stdout.isTTY
    ? atTerminal((text) => process.stdout.write(text))
    : inFile(firstTokenPath(config.database, config.dataFolder.folder), (path) => log.warn({ path }, FIRST_TOKEN_IN_FILE));
  const server = await startServer(config, log, firstToken.announce, firstToken);
  log.info({ url: server.url, database: describeDatabase(config.database), bucket: config.s3.bucket }, 'listening');
  // Not at a terminal: closing that sends SIGHUP, too, which then ends the server, as it ends every program.
  if (!process.stdout.isTTY) process.on('SIGHUP', () => void server.reload());
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  try {
    await Promise.race([signalled, server.failed]);
    log.info({}, 'stopping');
  } finally {
    await server.stop();
  }
  // An ordinary end would close SQLite, which would write its WAL into whatever file has the database's name now.
  if (server.isDatabaseLost) process.exit(1);
}

function faultsOfTls(files: TlsFiles): readonly string[] {
  const pair = readTlsPair(files);
  return 'faults' in pair ? pair.faults : [];
}
