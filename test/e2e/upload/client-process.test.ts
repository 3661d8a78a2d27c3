import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

describe('the client process', () => {
  let folder: string;
  let controlPlane: ControlPlaneProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket() });
  });
  afterAll(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('uploads without loading the AWS SDK, zod, hono or SQLite', async () => {
    const file = join(folder, 'film.mp4');
    writeFileSync(file, 'a film');
    const coverage = join(folder, 'coverage');

    // V8's coverage names every script that the process has loaded.
    const result = await runCli(['upload', file], { ...controlPlane, env: { NODE_V8_COVERAGE: coverage } });

    expect(result.exitCode, result.stderr).toBe(0);
    const scripts = readdirSync(coverage).flatMap((name) => {
      const { result: loaded } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] };
      return loaded.map((script) => script.url);
    });
    expect(scripts.some((url) => url.includes('/dist/client/'))).toBe(true);
    expect(scripts.filter((url) => /@aws-sdk|@smithy|\/zod\/|\/hono\/|@hono|sqlite|\/dist\/server\//.test(url))).toStrictEqual(
      [],
    );
  });

  it('prints no warning of Node or of a package', async () => {
    const file = join(folder, 'quiet.mp4');
    writeFileSync(file, 'a film');

    const result = await runCli(['upload', file], controlPlane);

    expect(result.stderr).not.toMatch(/warning/i);
  });
});
