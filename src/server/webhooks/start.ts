import type { MakeAgent } from '../../outbound/direct-agent.ts';
import type { Instant } from '../../session/session.ts';
import type { Outbox } from '../../session-store/port/session-store.ts';
import type { Log } from '../core/deps.ts';
import type { Secret } from '../core/secret.ts';
import type { DeliveryListener } from './delivery.ts';
import { startDispatcher } from './dispatcher.ts';
import { createSign } from './message.ts';
import { createPost } from './post.ts';
import { startForgetting } from './retention.ts';

export interface WebhookConfig {
  /** May hold a password, or a path that is one. */
  readonly url: Secret;
  /** At least one. */
  readonly secrets: readonly Secret[];
  /** The way there; straight unless given. */
  readonly makeAgent?: MakeAgent;
}

interface TellingDeps {
  readonly outbox: Outbox;
  readonly now: () => Instant;
  readonly log: Log;
  readonly tell: DeliveryListener;
  /** Whether old events may be forgotten by the clock as it is now. */
  readonly mayForget?: () => boolean;
}

/** Tells the webhook, where there is one, what happens to sessions, and forgets old events. */
export function startTelling(deps: TellingDeps, webhook: WebhookConfig | undefined): { stop(): Promise<void> } {
  const forgetting = startForgetting(deps, webhook !== undefined);
  if (webhook === undefined) return forgetting;
  const { post, close } = createPost(webhook.url.reveal(), webhook.makeAgent);
  const dispatcher = startDispatcher({ ...deps, post, sign: createSign(webhook.secrets), random: Math.random });
  return {
    async stop() {
      await Promise.all([dispatcher.stop(), forgetting.stop()]);
      close();
    },
  };
}
