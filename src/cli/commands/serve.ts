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
  environment: [
    ['PARTWAY_HOST', 'Address to listen on (127.0.0.1); others than loopback need a token, and TLS to be safe'],
    ['PARTWAY_PORT', 'Port to listen on (7373)'],
    [
      'PARTWAY_TOKEN',
      'Admin token; if not set, made at the first start: shown at a terminal, else in the file first-token beside the database',
    ],
    ['PARTWAY_TLS_CERT', 'Certificate chain (PEM file) to serve HTTPS with; read again when it changes, and on SIGHUP'],
    ['PARTWAY_TLS_KEY', 'Its private key (PEM file)'],
    ['PARTWAY_TRUSTED_PROXIES', 'Proxies whose X-Forwarded-For counts: addresses, CIDR blocks, loopback; comma between'],
    ['PARTWAY_CORS_ORIGINS', 'Origins whose pages may call the API, comma between; none if not set'],
    ['PARTWAY_DRAIN_DELAY', 'How long it still takes requests after SIGTERM, while /readyz tells balancers to look away (0s)'],
    ['PARTWAY_MAX_SESSIONS', 'Unfinished sessions of a token that has no limit of its own (10000), or off'],
    ['PARTWAY_RATE_LIMIT', 'Requests a second of one token (2000), or off'],
    [
      'PARTWAY_DATABASE_URL',
      'Path of the SQLite file, or postgres://user:password@host/database; several servers may share that',
    ],
    [
      'PARTWAY_AUDIT_LOG',
      'Who did what, read by partway audit (audit.jsonl beside the SQLite file, or in ~/.local/share/partway); off for none',
    ],
    ['PARTWAY_S3_ENDPOINT', 'Where the server reaches the object store'],
    ['PARTWAY_S3_PUBLIC_ENDPOINT', 'Where clients reach it; the same if not set'],
    ['PARTWAY_S3_REGION', 'Region (us-east-1)'],
    ['PARTWAY_S3_BUCKET', 'Bucket that uploads go to'],
    ['PARTWAY_S3_ACCESS_KEY_ID', 'Access key'],
    ['PARTWAY_S3_SECRET_ACCESS_KEY', 'Secret key'],
    ['PARTWAY_S3_KEY_PREFIX', 'All keys begin with it (any key)'],
    ['PARTWAY_S3_SIGNING', 'What signs part URLs: sts, key, shared, or auto (auto: sts where the store has it, else shared)'],
    ['PARTWAY_S3_SIGNING_ACCESS_KEY_ID', 'Access key that signs part URLs and needs s3:PutObject alone'],
    ['PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY', 'Its secret key'],
    ['PARTWAY_S3_ALLOW_FORGERY', 'yes lets uploads begin at a store that takes forged writes (no); see docs/minio-policy.md'],
    ['PARTWAY_S3_STALE_UPLOADS_EXPIRY', 'When the store deletes unfinished uploads (24h); 720h is recommended, here and there'],
    ['PARTWAY_KEY_TEMPLATE', 'Keys where the client names none ({fileName}); may hold {date}, {sessionId}, {fileName}, {owner}'],
    ['PARTWAY_SESSION_TTL', 'A session expires this long after its last activity (7d)'],
    ['PARTWAY_EXPIRY_HOLD', 'Nothing expires before the clock was steady and agreed with for so long, after each start (1h)'],
    ['PARTWAY_URL_TTL', 'Life of a presigned URL (1h)'],
    ['PARTWAY_WEBHOOK_URL', 'Is told when an upload is created, completed, aborted or expired; nobody is if not set'],
    ['PARTWAY_WEBHOOK_SECRET', 'What that is signed with: whsec_ and base64; two, with a space between, while one takes over'],
    [
      '…_FILE',
      'Path of a file that holds the value, for PARTWAY_TOKEN, PARTWAY_DATABASE_URL, S3 keys and webhook: PARTWAY_TOKEN_FILE',
    ],
  ],
} satisfies CommandModule;
