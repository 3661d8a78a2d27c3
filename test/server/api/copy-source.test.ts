import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesSource, ControlPlane, openUpload, runUpload } from '../../../src/client/index.ts';
import { type RunningServer, startServer } from '../../../src/server/start-server.ts';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { STRATEGIES } from '../../../src/session/strategy.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { serverConfig } from '../../support/server/real-server.ts';
import { createTestBucket } from '../../support/store/minio.ts';

const SECRET_BYTES = Buffer.from('what the signing key may read and no uploader should');

describe('a presigned URL with an added x-amz-copy-source', () => {
  let server: RunningServer;
  let controlPlane: ControlPlane;
  let bucket: string;

  beforeAll(async () => {
    bucket = await createTestBucket();
    const token = randomBytes(24).toString('hex');
    const config = serverConfig(bucket, { PARTWAY_TOKEN: token });
    server = await startServer(config, pino({ level: 'silent' }), () => {});
    controlPlane = new ControlPlane({ server: server.url, token });
    const source = bytesSource(SECRET_BYTES, 'secret.bin');
    const { session } = await openUpload({ controlPlane, source });
    await runUpload({ controlPlane, session, source });
  });
  afterAll(() => server.stop());

  it.each(STRATEGIES.flatMap((strategy) => [true, false].map((withChecksum) => ({ strategy, withChecksum }))))(
    'copies nothing for strategy $strategy, checksum signed: $withChecksum',
    async ({ strategy, withChecksum }) => {
      const size = SECRET_BYTES.length;
      const { session } = await controlPlane.create({ fileName: `${strategy}-${withChecksum}.bin`, size, strategy });
      const checksum = encodeCrc32(crc32(SECRET_BYTES));
      const { parts } = await controlPlane.presign(session.sessionId, {
        partNumbers: [1],
        ...(withChecksum ? { checksums: { 1: checksum } } : {}),
      });
      const { url, headers } = parts[0] ?? { url: '', headers: {} };

      for (const body of [Buffer.alloc(0), SECRET_BYTES]) {
        for (const extra of [{}, { 'x-amz-checksum-crc32': checksum }, { 'x-amz-copy-source-range': `bytes=0-${size - 1}` }]) {
          const added = {
            ...headers,
            ...extra,
            'content-length': String(body.length),
            'x-amz-copy-source': `/${bucket}/secret.bin`,
          };
          const { status } = await sendRequest('PUT', url, added, body);
          expect(status).toBeGreaterThanOrEqual(400);
        }
      }

      expect((await controlPlane.parts(session.sessionId)).parts).toEqual([]);
    },
  );
});
