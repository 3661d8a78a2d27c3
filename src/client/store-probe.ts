import * as http from 'node:http';
import * as https from 'node:https';

const PROBE_TIMEOUT_MS = 5_000;

/**
 * Asks the object store's front door whether anybody is in. Any answer but a 5xx counts: a store that is starting says 503,
 * and one that is up refuses the anonymous request, which is answer enough.
 */
export function createStoreProbe() {
  let origin: string | undefined;
  return {
    /** A presigned URL tells where the store is. Only its origin is kept. */
    learn(url: string): void {
      origin = new URL(url).origin;
    },
    async probe(signal: AbortSignal): Promise<void> {
      if (origin === undefined) return;
      const status = await answerStatus(`${origin}/`, signal);
      if (status >= 500) throw new Error(`it answers HTTP ${status}`);
    },
  };
}

function answerStatus(url: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? https.request : http.request;
    // Its own connection: the kept ones are what is in doubt.
    const request = send(url, { method: 'GET', agent: false, signal, timeout: PROBE_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? error.message, { cause: error })));
    request.end();
  });
}
