import type { MakeAgent } from '../../outbound/direct-agent.ts';
import type { Instant } from '../../session/session.ts';
import type { Outbox } from '../../session-store/port/outbox.ts';
import type { Log } from '../core/deps.ts';
import type { Secret } from '../core/secret.ts';
import type { DeliveryListener } from './delivery.ts';
import { startDispatcher } from './dispatcher.ts';
import { createSign } from './message.ts';
import { createPost } from './post.ts';
import { startRetention } from './retention.ts';

export interface WebhookConfig {
  /** A secret, because it may hold a password, or a path that is one. */
  readonly url: Secret;
  /** At least one. */
  readonly secrets: readonly Secret[];
  /** Makes the connections; direct ones by default. */
  readonly makeAgent?: MakeAgent;
}

interface WebhookDeps {
  readonly outbox: Outbox;
  readonly now: () => Instant;
  readonly log: Log;
  readonly onAttempt: DeliveryListener;
  /** Says whether the clock can be trusted, so that old events may be deleted by it; always by default. */
  readonly mayDelete?: () => boolean;
}

/** Sends events to the webhook, where there is one, and deletes old events. */
export function startWebhooks(deps: WebhookDeps, webhook: WebhookConfig | undefined): { stop(): Promise<void> } {
  const retention = startRetention(deps, webhook !== undefined);
  if (webhook === undefined) return retention;
  const { post, close } = createPost(webhook.url.reveal(), webhook.makeAgent);
  const dispatcher = startDispatcher({ ...deps, post, sign: createSign(webhook.secrets), random: Math.random });
  return {
    async stop() {
      await Promise.all([dispatcher.stop(), retention.stop()]);
      close();
    },
  };
}
