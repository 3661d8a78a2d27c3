import { defineCommand } from 'citty';
import { HOST_ENVIRONMENT, withTokenAdmin } from '../admin/host.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { type CommandModule, contextOf, JSON_FLAG } from '../input/command.ts';

const command = defineCommand({
  meta: {
    name: 'revoke',
    description: "Revoke a token, or all of a name, at once and with all capabilities it granted. On the server's host",
  },
  args: {
    'name-or-id': { type: 'positional', description: 'As `partway token list` shows it', required: true },
    abort: { type: 'boolean', description: 'End its unfinished sessions, too: the stored parts are deleted' },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [nameOrId = ''] = flags._;
    const abort = flags.abort === true;
    const { tokens, aborting, completing } = await withTokenAdmin(context, (admin) => admin.revoke(nameOrId, { abort }));
    const lines = flags.json
      ? [
          ...tokens.map(({ tokenId, name }) => JSON.stringify({ type: 'revoked', tokenId, name })),
          ...aborting.map((sessionId) => JSON.stringify({ type: 'aborting', sessionId })),
        ]
      : [
          ...tokens.map(({ tokenId, name }) => `revoked ${tokenId} "${name}"`),
          ...(tokens.length === 0 ? [`"${nameOrId}" was revoked before`] : []),
          ...(abort ? describeAbort(aborting.length, completing) : []),
        ];
    for (const line of lines) context.stdout.line(line);
    return EXIT.ok;
  },
});

function describeAbort(aborting: number, completing: number): string[] {
  if (aborting + completing === 0) return ['There was no unfinished session.'];
  return [
    ...(aborting === 0
      ? []
      : [`${sessions(aborting)} aborted: no more parts are accepted, and the server deletes the stored ones within minutes.`]),
    ...(completing === 0 ? [] : [`${sessions(completing)} cannot be stopped: the object store is assembling the object.`]),
  ];
}

function sessions(count: number): string {
  return count === 1 ? '1 session' : `${count} sessions`;
}

export default {
  command,
  examples: [
    'partway token revoke camera-1            all tokens of that name',
    'partway token revoke tok_5f0c1d2e3a4b5c6d',
    'partway token revoke camera-1 --abort    and delete what its unfinished uploads have stored',
  ],
  environment: HOST_ENVIRONMENT,
} satisfies CommandModule;
