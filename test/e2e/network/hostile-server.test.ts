import { writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startCli } from '../../support/client/partway-cli.ts';
import { aFolder, seededBytes } from '../../support/client/sources.ts';
import { hostileControlPlane, type Lie } from '../../support/server/hostile-control-plane.ts';

/** Sends the beginning of an answer and nothing more. Resolves once the client waits for the rest. */
function answerThatStops() {
  let begun = () => {};
  const waiting = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const answer: RequestListener = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{', () => begun());
  };
  return { answer, waiting };
}

async function uploading(lies: Record<string, Lie>) {
  const { url } = await hostileControlPlane(lies);
  const path = join(await aFolder(), 'a.mov');
  await writeFile(path, seededBytes(15 * 1024 ** 2, 7));
  return startCli(['upload', path, '--network', 'reliable'], { server: url, token: 'a-token' });
}

describe('a client whose server never ends an answer', () => {
  it.each(['POST /api/uploads', 'GET /api/uploads/{id}/parts', 'POST /api/uploads/{id}/parts/presign'])(
    'ends on Ctrl-C while it waits for %s',
    async (operation) => {
      const { answer, waiting } = answerThatStops();
      const { child, finished } = await uploading({ [operation]: answer });
      await waiting;
      child.kill('SIGINT');
      const { exitCode, stderr } = await finished;
      expect(exitCode).toBe(130);
      expect(stderr).toContain('Interrupted');
      expect(stderr).not.toContain('bug');
    },
  );
});
