import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/server/core/secret.ts';
import { parseSigningSecrets } from '../../../src/server/settings/signing-secrets.ts';
import { createSign } from '../../../src/server/webhooks/message.ts';
import { NOON } from '../../support/database/sessions.ts';
import { verify } from '../../support/network/webhook-receiver.ts';
import { anEvent, OTHER_WEBHOOK_SECRET, WEBHOOK_SECRET } from '../../support/server/events.ts';

describe('a message', () => {
  it('says what happened to which upload, and its signature is right', () => {
    const event = anEvent();
    const received = verify(createSign([new Secret(WEBHOOK_SECRET)])(event, Date.now()), WEBHOOK_SECRET);

    expect(received).toStrictEqual({
      id: event.eventId,
      type: 'upload.completed',
      timestamp: '2026-11-23T12:00:00.000Z',
      data: { ...event.session, sequence: 2 },
    });
  });

  it.each([WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET])('is signed with both secrets while one takes over from the other', (secret) => {
    const sign = createSign([new Secret(WEBHOOK_SECRET), new Secret(OTHER_WEBHOOK_SECRET)]);

    expect(() => verify(sign(anEvent(), Date.now()), secret)).not.toThrow();
  });

  it('is refused with another secret, body, id or time', () => {
    const message = createSign([new Secret(WEBHOOK_SECRET)])(anEvent(), Date.now());
    const changed = (name: string) => ({
      ...message,
      headers: { ...message.headers, [name]: `${Number(message.headers[name]) || 0}1` },
    });

    expect(() => verify(message, OTHER_WEBHOOK_SECRET)).toThrow('No matching signature');
    expect(() => verify({ ...message, body: message.body.replace('ses_1', 'ses_2') }, WEBHOOK_SECRET)).toThrow(
      'No matching signature',
    );
    expect(() => verify(changed('webhook-id'), WEBHOOK_SECRET)).toThrow('No matching signature');
    expect(() => verify(changed('webhook-timestamp'), WEBHOOK_SECRET)).toThrow();
  });

  it('has the same body and id at every attempt, and the time of the attempt', () => {
    const sign = createSign([new Secret(WEBHOOK_SECRET)]);
    const [first, second] = [
      sign(anEvent({ eventId: 'evt_1' }), NOON),
      sign(anEvent({ eventId: 'evt_1', attempts: 2 }), NOON + 3_600_000),
    ];

    expect(second.body).toBe(first.body);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(Number(second.headers['webhook-timestamp']) - Number(first.headers['webhook-timestamp'])).toBe(3_600);
  });
});

describe('signing secrets', () => {
  const ofBytes = (count: number) => `whsec_${Buffer.alloc(count, 5).toString('base64')}`;

  it('are one, or two with a space between', () => {
    const revealed = (setting: string) => parseSigningSecrets(setting)?.map((secret) => secret.reveal());

    expect(revealed(WEBHOOK_SECRET)).toStrictEqual([WEBHOOK_SECRET]);
    expect(revealed(`${WEBHOOK_SECRET}  ${OTHER_WEBHOOK_SECRET}\n`)).toStrictEqual([WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET]);
    expect(revealed(ofBytes(24))).toHaveLength(1);
    expect(revealed(ofBytes(64))).toHaveLength(1);
  });

  it.each([
    '',
    'whsec_',
    'secret',
    Buffer.alloc(32).toString('base64'),
    ofBytes(23),
    ofBytes(65),
    `${ofBytes(24)}=`,
    `${ofBytes(32)}!`,
  ])('are not %j', (setting) => {
    expect(parseSigningSecrets(setting)).toBeUndefined();
  });

  it('are not three', () => {
    expect(parseSigningSecrets([ofBytes(24), ofBytes(25), ofBytes(26)].join(' '))).toBeUndefined();
  });
});
