import { afterEach, describe, expect, it } from 'vitest';
import { runCli } from '../../support/client/partway-cli.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

let controlPlane: ControlPlaneProcess;
afterEach(() => controlPlane.stop());

/** Runs doctor against a control plane with the documented rights. Returns its finding about the signer of part URLs. */
async function doctor(env: Record<string, string>) {
  controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket(), env });
  const { exitCode, events } = await runCli(['doctor', '--json'], controlPlane);
  return { exitCode, finding: events.find(({ check }) => check === 'part URLs are signed with') };
}

describe('partway doctor', () => {
  it('confirms that the signer of part URLs can only put, by default and within a key prefix', async () => {
    const { exitCode, finding } = await doctor({ PARTWAY_S3_KEY_PREFIX: 'team/' });
    expect(finding).toMatchObject({ outcome: 'ok', detail: expect.stringMatching(/^a temporary session until .* nothing else/) });
    expect(exitCode).toBe(0);
  });

  it("warns if the server's own key signs part URLs, and says what that key can do", async () => {
    const { exitCode, finding } = await doctor({ PARTWAY_S3_SIGNING: 'shared' });
    expect(finding).toMatchObject({ outcome: 'warn', detail: expect.stringContaining('can also read, list in bucket') });
    expect(exitCode).toBe(0);
  });
});
