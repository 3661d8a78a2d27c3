import type * as wire from '../../contract/wire.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { createKeptAnswer } from '../core/single-flight.ts';
import { toIso } from '../core/views.ts';
import type { ForgeryGuard } from './forgery-guard.ts';

/** Finding out what the signing credentials can do costs the store some requests that it refuses, and may raise an alarm there. */
const KEPT_MS = 60_000;

/** Where uploads go, what signs them and whose pages send them; asked at the store once a minute at most, however many ask here. */
export function createStoreReport(
  { objects, now, corsOrigins = [] }: Pick<ServiceDeps, 'objects' | 'now' | 'corsOrigins'>,
  forgery: ForgeryGuard,
): () => Promise<wire.StoreReport> {
  const answers = createKeptAnswer<wire.StoreReport>(KEPT_MS, now);

  async function ask(): Promise<wire.StoreReport> {
    const { expiresAt, ...signing } = await objects.signing();
    return {
      bucket: objects.bucket,
      keyPrefix: objects.keyPrefix,
      signing: { ...signing, expiresAt: expiresAt === null ? null : toIso(expiresAt) },
      forgedWrites: forgery.verdict(),
      corsOrigins: [...corsOrigins],
    };
  }

  return () => answers.get(ask);
}
