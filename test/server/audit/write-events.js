// Run by audit-processes.test.ts: records events without end, naming each on stdout once it is recorded, until killed.
// Plain JavaScript on the built server: a child process on Node 20 runs no TypeScript.
import { createAuditLog } from '../../../dist/server/audit/audit-log.js';

const [path, writer, keyLength] = process.argv.slice(2);
const tell = (fields, message) => process.stderr.write(`${message} ${fields.err}\n`);
const log = { warn: tell, error: tell };
const audit = createAuditLog({ path, now: Date.now, log });

for (let size = 1; ; size++) {
  audit.record({ event: 'created', token: writer, key: 'k'.repeat(Number(keyLength)), size });
  await new Promise((resolve) => process.stdout.write(`${size}\n`, resolve));
}
