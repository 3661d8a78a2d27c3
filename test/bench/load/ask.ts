import { Agent, request } from 'node:http';

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
}

/** Sends a call, which is counted under `name`. Resolves to the body of the answer. */
export type Ask = (name: string, call: Call) => Promise<string>;

/** Milliseconds from the request to the end of its answer, by the name of the call. */
export type Latencies = Map<string, number[]>;

/** Sends calls over kept-alive connections, as clients do, and records how long each answer took. */
export function createAsk(
  { server, token }: { readonly server: string; readonly token: string },
  latencies: Latencies,
): { ask: Ask; close(): void } {
  const agent = new Agent({ keepAlive: true });
  const ask: Ask = (name, { method, path, body }) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { authorization: `Bearer ${token}`, ...(text !== undefined && { 'content-type': 'application/json' }) };
    const startedAt = performance.now();
    const askOnce = (resolve: (answer: string) => void, reject: (error: Error) => void) => {
      const asked = request(`${server}${path}`, { method, headers, agent }, (response) => {
        let answer = '';
        response.on('error', reject);
        response.setEncoding('utf8').on('data', (piece) => {
          answer += piece;
        });
        response.on('end', () => {
          note(latencies, name, performance.now() - startedAt);
          if (response.statusCode === 200 || response.statusCode === 201) resolve(answer);
          else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${answer.slice(0, 500)}`));
        });
      });
      asked.on('error', (error) => {
        // The server closed the idle connection at the moment when it was reused.
        if (asked.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') askOnce(resolve, reject);
        else reject(new Error(`${name}: no answer`, { cause: error }));
      });
      asked.end(text);
    };
    return new Promise(askOnce);
  };
  return { ask, close: () => agent.destroy() };
}

function note(latencies: Latencies, name: string, ms: number): void {
  const took = latencies.get(name);
  if (took === undefined) latencies.set(name, [ms]);
  else took.push(ms);
}

/**
 * Begins `work` every `ms`, however long the answers take: a client that waited for slow answers would send fewer requests, and so hide their
 * cost. Times are counted from the start, not from the last call. Otherwise a pause would align all calls that fall into it permanently, as
 * `setInterval` does, but independent clients are not aligned. `stop` waits for running calls. @throws the first failure.
 */
export function every(ms: number, offsetMs: number, work: () => Promise<unknown>): { stop(): Promise<void> } {
  const running = new Set<Promise<unknown>>();
  const failures: unknown[] = [];
  let next = performance.now() + offsetMs;
  const begin = () => {
    next += ms;
    timer = setTimeout(begin, next - performance.now());
    const run = work()
      .catch((error: unknown) => failures.push(error))
      .finally(() => running.delete(run));
    running.add(run);
  };
  let timer = setTimeout(begin, offsetMs);
  return {
    async stop() {
      clearTimeout(timer);
      await Promise.all(running);
      if (failures.length > 0) throw failures[0];
    },
  };
}
