import type * as wire from '../../contract/wire.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { createKeptAnswer } from '../core/single-flight.ts';
import { toIso } from '../core/views.ts';
import type { ForgeryGuard } from './forgery-guard.ts';

/** How long a report is kept. Finding out what the signing credentials can do takes requests that the store refuses, which may raise an alarm there. */
const KEPT_MS = 60_000;

/** Reports where uploads go, what signs them and which origins send them. Asks the store once a minute at most, however many clients ask. */
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
