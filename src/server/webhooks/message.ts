import { Webhook } from 'standardwebhooks';
import type { Instant } from '../../session/session.ts';
import type { WebhookEvent } from '../../session/webhook-event.ts';
import type { Secret } from '../core/secret.ts';
import { toIso } from '../core/views.ts';

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Signs with every secret: a receiver accepts the message if one of the signatures is right. */
export type Sign = (event: WebhookEvent, now: Instant) => Message;

/** @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export function createSign(secrets: readonly Secret[]): Sign {
  const signers = secrets.map((secret) => new Webhook(secret.reveal()));
  return (event, now) => {
    const body = bodyOf(event);
    // The time of the attempt, not of the event: receivers refuse signatures that are older than five minutes.
    const at = new Date(now);
    return {
      headers: {
        'content-type': 'application/json',
        'user-agent': 'partway',
        'webhook-id': event.eventId,
        'webhook-timestamp': String(Math.floor(now / 1_000)),
        'webhook-signature': signers.map((signer) => signer.sign(event.eventId, at, body)).join(' '),
      },
      body,
    };
  };
}

/** Makes the body, which is the same for every attempt. */
function bodyOf({ type, createdAt, sequence, session }: WebhookEvent): string {
  const { sessionId, owner, bucket, key, fileName, size, contentType, metadata, etag, checksum } = session;
  return JSON.stringify({
    type,
    timestamp: toIso(createdAt),
    data: { sessionId, sequence, owner, bucket, key, fileName, size, contentType, metadata, etag, checksum },
  });
}
