import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { startCli } from '../../support/client/partway-cli.ts';
import { aFolder } from '../../support/client/sources.ts';

const TOKEN = 'the-token-of-hostile-names';
/** Characters that turn text red, reverse it, are invisible in it, delete, and break the line. */
const HOSTILE = 'a\u009b31m\u202egpj\u200b\u{e0041}\u007f\u0085b\u2028c';
// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys these characters
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u;

it('the log and the audit log of partway serve show names without any character that a terminal obeys', async () => {
  const folder = await aFolder();
  const audit = join(folder, 'audit.jsonl');
  const { child, event, finished } = startCli(['serve'], {
    server: '',
    token: TOKEN,
    env: {
      PARTWAY_PORT: '0',
      PARTWAY_DATABASE_URL: join(folder, 'partway.db'),
      PARTWAY_AUDIT_LOG: audit,
      PARTWAY_S3_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
      PARTWAY_S3_BUCKET: HOSTILE,
      PARTWAY_S3_ACCESS_KEY_ID: 'access-key',
      PARTWAY_S3_SECRET_ACCESS_KEY: 'secret-key',
      [`PARTWAY_${HOSTILE}`]: 'a setting that is none',
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { url } = await event(({ msg }) => msg === 'listening');
  await fetch(`${url}/api/${encodeURIComponent(HOSTILE)}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  // The audit log records this refusal.
  expect((await fetch(`${url}/api/uploads/${encodeURIComponent(HOSTILE)}`)).status).toBe(401);
  child.kill('SIGTERM');
  const { stdout, stderr, events } = await finished;

  expect(events).toContainEqual(expect.objectContaining({ msg: 'listening', bucket: HOSTILE }));
  expect(events).toContainEqual(expect.objectContaining({ msg: 'request', path: `/api/${HOSTILE}` }));
  expect(events).toContainEqual(expect.objectContaining({ msg: expect.stringContaining(`PARTWAY_${HOSTILE}`) }));
  expect(stdout.trim().split('\n')).toHaveLength(events.length);
  const audited = readFileSync(audit, 'utf8');
  expect(audited).toContain('\\u202egpj');
  for (const text of [stdout, stderr, audited]) expect(text).not.toMatch(OBEYED);
});

it('the stderr of a failed start of partway serve has no character that a terminal obeys', async () => {
  const folder = await aFolder();
  const { finished } = startCli(['serve'], {
    server: '',
    token: TOKEN,
    env: {
      PARTWAY_PORT: HOSTILE,
      PARTWAY_DATABASE_URL: join(folder, HOSTILE),
      PARTWAY_S3_ENDPOINT: `ftp://${HOSTILE}`,
    },
  });
  const { exitCode, stdout, stderr } = await finished;
  expect(exitCode).toBe(2);
  expect(stderr).toContain('\\u202egpj');
  expect(stdout + stderr).not.toMatch(OBEYED);
});
