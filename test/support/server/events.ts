import type { WebhookEvent } from '../../../src/session/webhook-event.ts';
import { aUniqueName, NOON } from '../database/sessions.ts';

/** `whsec_` and 32 bytes of base64. */
export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const OTHER_WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

export function anEvent(overrides: Partial<WebhookEvent> = {}): WebhookEvent {
  return {
    eventId: aUniqueName('evt'),
    sequence: 2,
    type: 'upload.completed',
    createdAt: NOON,
    session: {
      sessionId: 'ses_1',
      owner: 'camera-1',
      bucket: 'uploads',
      key: 'films/ü.mov',
      fileName: 'ü.mov',
      size: 3,
      contentType: 'video/quicktime',
      metadata: { project: 'north' },
      etag: '"e-1"',
      checksum: 'q83vEg==',
    },
    status: 'pending',
    attempts: 1,
    pendingSince: NOON,
    nextAttemptAt: NOON,
    lastError: null,
    settledAt: null,
    ...overrides,
  };
}
