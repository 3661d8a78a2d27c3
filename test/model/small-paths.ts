import { onTestFinished } from 'vitest';
import { ControlPlane } from '../../src/client/control-plane/control-plane.ts';
import { openUpload } from '../../src/client/transfer/open-upload.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { startRun } from '../support/client/started-run.ts';
import { startFaultProxy } from '../support/proxies/fault-proxy.ts';
import type { FaultyPaths } from '../support/proxies/faulty-paths.ts';
import { ModelServer, TOKEN } from './model-server.ts';
import { startFakeStore } from './model-store.ts';
import { withParts } from './stage.ts';

/** The paths from a client to a store in this process and to a control plane. */
export type SmallPaths = Omit<FaultyPaths, 'serverToStore'>;

/**
 * Starts the engine's paths to a store that accepts parts of any size, for tests of the paths themselves, which would otherwise spend
 * their time on moving megabytes. Every plan has parts of `partSize`.
 */
export async function startSmallPaths(partSize: number): Promise<SmallPaths> {
  const store = await startFakeStore();
  const clientToStore = await startFaultProxy(store.endpoint);
  const sessions = withParts(openSqliteStore(':memory:'), partSize);
  const bugs: string[] = [];
  const server = await ModelServer.start({
    sessions,
    objects: store.connect(clientToStore.url, Date.now, () => {}),
    now: Date.now,
    storeFaults: [],
    onStoreCall: () => {},
    onBug: (what) => bugs.push(what),
  });
  const clientToServer = await startFaultProxy(server.url);
  const controlPlane = new ControlPlane({ server: clientToServer.url, token: TOKEN });
  onTestFinished(async () => {
    await Promise.all([clientToStore.close(), clientToServer.close()]);
    await server.close();
    await store.close();
    await sessions.close();
    if (bugs.length > 0) throw new Error(bugs.join('\n'));
  });
  return {
    clientToStore,
    clientToServer,
    controlPlane,
    async open(source, request = {}) {
      const { session } = await openUpload({ controlPlane, source, request });
      return session;
    },
    run: (session, source, options = {}) => startRun({ controlPlane, session, source, ...options }),
    async readObject(key) {
      const bytes = await store.read(key);
      if (bytes === undefined) throw new Error(`there is no object ${key}`);
      return bytes;
    },
  };
}
