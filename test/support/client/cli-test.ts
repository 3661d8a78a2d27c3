import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base } from 'vitest';
import { ScriptedControlPlane } from '../server/scripted-control-plane.ts';
import { runForTest, type TestContext } from './cli-run.ts';

interface CliFixtures {
  readonly server: ScriptedControlPlane;
  readonly folder: string;
  /** Runs a command line against `server`, in `folder`, with its journal there. */
  readonly partway: (argv: readonly string[], overrides?: Partial<TestContext>) => ReturnType<typeof runForTest>;
  readonly makeFile: (name: string, bytes: Uint8Array) => Promise<string>;
}

export const test = base.extend<CliFixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from this pattern which fixtures this one needs
  server: async ({}, use) => {
    const server = new ScriptedControlPlane();
    await server.start();
    await use(server);
    await server.stop();
  },
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from this pattern which fixtures this one needs
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'partway-cli-'));
    await use(folder);
    await rm(folder, { recursive: true });
  },
  partway: async ({ server, folder }, use) => {
    const env = {
      LANG: 'C.UTF-8',
      PARTWAY_SERVER: server.url,
      PARTWAY_TOKEN: 'a-test-token',
      XDG_STATE_HOME: join(folder, 'state'),
    };
    await use((argv, overrides = {}) => runForTest(argv, { env, workingDirectory: folder, now: Date.now, ...overrides }));
  },
  makeFile: async ({ folder }, use) => {
    await use(async (name, bytes) => {
      await writeFile(join(folder, name), bytes);
      return join(folder, name);
    });
  },
});
