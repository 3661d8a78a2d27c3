import { tryForgery } from '../../forgery/try-forgery.ts';
import { SetupError } from '../process/setup-error.ts';
import { minioAdmin } from './admin.ts';
import type { S3Target } from './bucket.ts';
import { type ConfiguredIds, FORMER_IDS } from './guessable-ids.ts';

/**
 * Disables the users of earlier versions, which MinIO keeps in its data, and whose ids everyone knows. A forged part for each then proves that
 * MinIO no longer accepts its id; the URLs and sessions that the user signed end with it. May be repeated.
 * @returns the ids that it disabled. @throws SetupError if MinIO still accepts one.
 */
export async function disableFormerUsers(
  root: S3Target,
  { bucket, keyPrefix, ids }: { readonly bucket: string; readonly keyPrefix: string; readonly ids: ConfiguredIds },
): Promise<string[]> {
  const { endpoint, region } = root;
  const forgeryFor = (accessKeyId: string) => tryForgery({ endpoint, region, bucket, keyPrefix, accessKeyId, at: new Date() });
  const disabled: string[] = [];
  for (const id of FORMER_IDS.filter((id) => id !== ids.root && id !== ids.user)) {
    if ((await forgeryFor(id)) === 'no-such-id') continue;
    await minioAdmin(root).setUserEnabled(id, false);
    const verdict = await forgeryFor(id);
    if (verdict !== 'no-such-id') throw new SetupError(explainStillAccepted(id, verdict));
    disabled.push(id);
  }
  return disabled;
}

function explainStillAccepted(id: string, verdict: string): string {
  return `MinIO's user "${id}" of an earlier version was disabled, but MinIO still accepts its id (a forged part: ${verdict}).
Everyone knows that id, so the control plane is not started. Disable the user by hand, then run docker compose up again:
  mc admin user disable root ${id}`;
}
