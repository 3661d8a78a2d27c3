import { type AddressInfo, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';
import { PostgresDatabase } from '../../../src/session-store/postgres/driver.ts';
import { statement } from '../../../src/session-store/postgres/statement.ts';
import { sql } from '../../../src/session-store/sql/statement.ts';

// Found by killing PostgreSQL again and again: the error had no listener, and the whole server ended.
it('handles a connection that is lost at the moment when it becomes ready', async () => {
  const database = new PostgresDatabase(await aServerThatGoesAtOnce());
  onTestFinished(() => database.close());

  const asked = database.run(statement(sql<object>('SELECT 1')), {});

  await expect(asked).rejects.toThrow(SessionStoreUnavailable);
});

/** Starts a server that accepts a login and closes the connection, both in one chunk, as a busy client reads it. Returns its URL. */
async function aServerThatGoesAtOnce(): Promise<string> {
  const server = createServer((client) => {
    client.on('error', () => {});
    client.once('data', () => client.end(Buffer.concat([AUTHENTICATED, READY, POSTMASTER_IS_GONE])));
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `postgres://user:password@127.0.0.1:${(server.address() as AddressInfo).port}/database`;
}

const AUTHENTICATED = message('R', '\0\0\0\0');
const READY = message('Z', 'I');
const POSTMASTER_IS_GONE = message('E', 'SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0');

/** A message of PostgreSQL's protocol 3: a letter, the length including its own four bytes, and the contents. */
function message(type: string, body: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, Buffer.from(body, 'latin1')]);
}
