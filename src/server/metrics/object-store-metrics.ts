import { Counter, Histogram, type Registry } from 'prom-client';
import { type ObjectStore, ObjectStoreError } from '../../object-store/port.ts';

/** MinIO answers in milliseconds; ListParts of thousands and Complete of a huge object take seconds to minutes. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15, 60, 300, 900];

/** Wraps an object store, to count and time its calls. */
export function createObjectStoreMetrics(registry: Registry): (store: ObjectStore) => ObjectStore {
  const registers = [registry];
  const calls = new Counter({
    name: 'partway_object_store_calls_total',
    help: 'Calls to the object store, by operation and outcome: ok, the failure, or error for an unexpected one.',
    labelNames: ['operation', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'partway_object_store_call_duration_seconds',
    help: 'Time that calls to the object store took, failed ones included; a listing of many pages is one call.',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers,
  });
  const presigned = new Counter({
    name: 'partway_presigned_urls_total',
    help: 'Part URLs that were signed.',
    registers,
  });

  function measured<Args extends unknown[], Result>(operation: keyof ObjectStore, call: (...args: Args) => Promise<Result>) {
    return async (...args: Args): Promise<Result> => {
      const stop = seconds.startTimer({ operation });
      try {
        const result = await call(...args);
        calls.inc({ operation, outcome: 'ok' });
        return result;
      } catch (error) {
        calls.inc({ operation, outcome: error instanceof ObjectStoreError ? error.failure : 'error' });
        throw error;
      } finally {
        stop();
      }
    };
  }

  return (store) => ({
    bucket: store.bucket,
    keyPrefix: store.keyPrefix,
    createMultipartUpload: measured('createMultipartUpload', (upload) => store.createMultipartUpload(upload)),
    listParts: measured('listParts', (key, uploadId) => store.listParts(key, uploadId)),
    completeMultipartUpload: measured('completeMultipartUpload', (input) => store.completeMultipartUpload(input)),
    abortMultipartUpload: measured('abortMultipartUpload', (key, uploadId) => store.abortMultipartUpload(key, uploadId)),
    listMultipartUploads: measured('listMultipartUploads', (key) => store.listMultipartUploads(key)),
    headObject: measured('headObject', (key) => store.headObject(key)),
    findKeyConflict: measured('findKeyConflict', (key) => store.findKeyConflict(key)),
    checkBucket: measured('checkBucket', () => store.checkBucket()),
    readClock: measured('readClock', () => store.readClock()),
    checkSigning: measured('checkSigning', () => store.checkSigning()),
    signing: measured('signing', () => store.signing()),
    tryForgery: measured('tryForgery', () => store.tryForgery()),
    // Not timed: it does not contact the store, and there are thousands a second.
    async presignPart(part) {
      const url = await store.presignPart(part);
      presigned.inc();
      return url;
    },
  });
}
