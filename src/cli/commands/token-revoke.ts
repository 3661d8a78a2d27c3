import { defineCommand } from 'citty';
import { type CommandModule, contextOf, JSON_FLAG } from '../arguments/command.ts';
import { EXIT } from '../failures/exit-codes.ts';
import { MACHINE_ENVIRONMENT, withTokenAdmin } from '../server-side/token-admin.ts';

const command = defineCommand({
  meta: {
    name: 'token revoke',
    description: "Revoke a token, or all of a name, on the server's machine. At once, with all that it granted",
  },
  args: {
    'name-or-id': { type: 'positional', description: 'As `partway token list` shows it', required: true },
    json: JSON_FLAG,
  },
  async run({ args: flags, data }) {
    const context = contextOf(data);
    const [nameOrId = ''] = flags._;
    const revoked = await withTokenAdmin(context, (admin) => admin.revoke(nameOrId));
    for (const { tokenId, name } of revoked) {
      context.stdout.write(
        flags.json ? `${JSON.stringify({ type: 'revoked', tokenId, name })}\n` : `revoked ${tokenId} "${name}"\n`,
      );
    }
    if (revoked.length === 0 && !flags.json) context.stdout.line(`"${nameOrId}" was revoked before`);
    return EXIT.ok;
  },
});

export default {
  command,
  examples: ['partway token revoke camera-1            all tokens of that name', 'partway token revoke tok_5f0c1d2e3a4b5c6d'],
  environment: MACHINE_ENVIRONMENT,
} satisfies CommandModule;
