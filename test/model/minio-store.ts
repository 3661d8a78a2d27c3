import { setTimeout as wait } from 'node:timers/promises';
import { GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3';
import type { RunningMinio } from '../../src/dev/minio/minio.ts';
import { createS3ObjectStore } from '../../src/object-store/s3.ts';
import { POLICY } from '../support/server/control-plane.ts';
import type { ModelStore } from './model-store.ts';

/**
 * Shares one real MinIO among schedules that play at the same time, each with its own key. A kill by one of them hits all: uploads must
 * survive unplanned faults as well.
 */
export function shareMinio(minio: RunningMinio, bucket: string): () => Promise<ModelStore> {
  const onKills = new Set<() => void>();
  const { endpoint, region, accessKeyId, secretAccessKey } = minio;
  const account = { endpoint, region, accessKeyId, secretAccessKey, bucket };
  /** One promise for each schedule that needs MinIO to stay up, resolved when the schedule is over. */
  const spared = new Set<Promise<void>>();
  let outage: Promise<void> | undefined;

  async function kill(downMs: number): Promise<void> {
    while (spared.size > 0) await Promise.all(spared);
    outage = outage ?? goDown(downMs);
    await outage;
  }

  async function goDown(downMs: number): Promise<void> {
    for (const onKill of onKills) onKill();
    await minio.kill('SIGKILL');
    await wait(downMs);
    await minio.restart();
    outage = undefined;
  }

  return async () => {
    const direct = createS3ObjectStore({ ...account, publicEndpoint: endpoint });
    const reader = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
    const closing = [() => direct.close(), () => reader.destroy()];
    const isOver = new Promise<void>((resolve) => closing.push(resolve));
    return {
      endpoint,
      connect(publicEndpoint, _now, onKill) {
        // STS as for real servers: requests by root can be forged, so a server begins no upload that root would sign.
        const store = createS3ObjectStore({
          ...account,
          publicEndpoint,
          signing: { kind: 'sts', urlTtlSeconds: POLICY.urlTtlSeconds },
        });
        onKills.add(onKill);
        closing.push(
          () => store.close(),
          () => onKills.delete(onKill),
        );
        return store;
      },
      kill,
      async spare() {
        spared.add(isOver);
        closing.push(() => spared.delete(isOver));
        await outage;
      },
      async read(key) {
        try {
          const { Body } = await reader.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
          return await Body?.transformToByteArray();
        } catch (error) {
          if (error instanceof NoSuchKey) return undefined;
          throw error;
        }
      },
      async uploads(key) {
        return (await direct.listMultipartUploads(key)).map(({ uploadId }) => uploadId);
      },
      async loseUpload(key, uploadId) {
        await outage;
        await direct.abortMultipartUpload(key, uploadId);
      },
      async close() {
        for (const close of closing) close();
      },
    };
  };
}
