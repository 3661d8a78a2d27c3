import { defineCommand } from 'citty';
import { SCOPES, type Scope, TOKEN_NAME } from '../../session/access.ts';
import { HOST_ENVIRONMENT, withTokenAdmin } from '../admin/host.ts';
import { describeLimits } from '../admin/token-text.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';
import { FlagReader } from '../input/flag-reader.ts';

const CONTENT_TYPE = /^[\w.+-]+\/(?:[\w.+-]+|\*)$/;
const MAX_SESSIONS = 1_000_000;

const command = defineCommand({
  meta: { name: 'create', description: "Make a token, on the server's host. It is shown once" },
  args: {
    name: { type: 'string', required: true, valueHint: 'name', description: 'Name of the owner: sessions belong to the name' },
    scope: { type: 'string', valueHint: 'scopes', default: 'upload', description: 'upload, read, admin, or several with commas' },
    prefix: { type: 'string', valueHint: 'prefix', description: 'Only keys that begin with it, such as team-a/' },
    bucket: { type: 'string', valueHint: 'bucket', description: 'Only in this bucket' },
    'content-types': {
      type: 'string',
      valueHint: 'types',
      description: 'Only these: video/*,image/png; video/* takes camera files and sidecars, too',
    },
    'max-size': { type: 'string', valueHint: 'size', description: 'Largest file: 50GB' },
    quota: { type: 'string', valueHint: 'size', description: 'Bytes it may upload in all: 2TB' },
    'max-sessions': { type: 'string', valueHint: 'n', default: '10000', description: 'Unfinished sessions it may have at once' },
    expires: { type: 'string', valueHint: 'duration', description: 'Time that it is valid: 12h, 90d' },
    rotate: { type: 'boolean', description: 'Another token of a known name, with its sessions and its quota' },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const reader = new FlagReader();
    if (!TOKEN_NAME.test(flags.name))
      reader.fault('--name has 1 to 64 letters, digits, ".", "_", "@" and "-", and begins with one of the first two.');
    const scopes = reader.choices('scope', flags.scope, SCOPES) ?? [];
    const expiresInMs = reader.durationMs('expires', flags.expires);
    const limits = {
      bucket: flags.bucket ?? null,
      keyPrefix: flags.prefix ?? '',
      contentTypes: contentTypes(flags['content-types'], reader),
      maxObjectSize: reader.size('max-size', flags['max-size']) ?? null,
      quotaBytes: reader.size('quota', flags.quota) ?? null,
      maxOpenSessions: reader.integer('max-sessions', flags['max-sessions'], 1, MAX_SESSIONS) ?? null,
    };
    reader.check('token create');
    const expiresAt = expiresInMs === undefined ? null : context.now() + expiresInMs;
    const request = { name: flags.name, scopes: [...new Set<Scope>(scopes)], limits, expiresAt, rotate: flags.rotate === true };
    const { token, stored } = await withTokenAdmin(context, (admin) => admin.create(request), { mayMakeDatabase: true });
    if (flags.json) {
      const { hash: _, ...shown } = stored;
      context.stdout.write(`${JSON.stringify({ type: 'token', token, ...shown })}\n`);
      return EXIT.ok;
    }
    const lines = [`made ${stored.tokenId} "${stored.name}": ${stored.scopes.join(', ')}`, ...describeLimits(stored)];
    if (isOpenEnded(limits.keyPrefix))
      context.stderr.write(
        `note: "${limits.keyPrefix}" covers "${limits.keyPrefix}-2/…" as well; end it with "/" if it should not\n`,
      );
    context.stderr.write(`${lines.join('\n  ')}\nIt is shown only now; clients need it as PARTWAY_TOKEN:\n`);
    context.stdout.write(`${token}\n`);
    return EXIT.ok;
  },
});

function isOpenEnded(prefix: string): boolean {
  return prefix !== '' && !prefix.endsWith('/');
}

function contentTypes(text: string | undefined, reader: FlagReader): string[] | null {
  if (text === undefined) return null;
  const types = text.split(',').map((type) => type.trim());
  const wrong = types.find((type) => !CONTENT_TYPE.test(type));
  if (wrong !== undefined) reader.fault(`--content-types: "${wrong}" is no content type. Write them as video/mp4 or video/*.`);
  return types;
}

export default {
  command,
  examples: [
    'partway token create --name camera-1 --prefix camera-1/ --content-types "video/*"',
    'partway token create --name team-a --prefix team-a/ --quota 2TB --max-sessions 20 --expires 90d',
    'partway token create --name dashboard --scope read',
    'partway token create --name camera-1 --rotate      a new one; then: partway token revoke OLD_ID',
  ],
  environment: HOST_ENVIRONMENT,
} satisfies CommandModule;
