import { onTestFinished } from 'vitest';
import { createAuthenticate, hashToken, newToken, TOKEN_PREFIX } from '../../../src/server/access/auth.ts';
import { createApp, type EdgeOptions } from '../../../src/server/app.ts';
import { type Listening, listen } from '../../../src/server/http/listen.ts';
import type { Network } from '../../../src/server/limits/client-address.ts';
import type { HttpLimits } from '../../../src/server/limits/connection-limits.ts';
import { type FailureLimits, guardAuthentication } from '../../../src/server/limits/failure-limit.ts';
import { createService } from '../../../src/server/service.ts';
import { aToken } from '../database/sessions.ts';
import { ADMIN_TOKEN, ServiceBench } from './control-plane.ts';

export interface EdgeBenchOptions {
  readonly edge?: EdgeOptions;
  readonly failures?: FailureLimits;
}

/** The app behind its edge, on stores in memory. Requests come from `address`, which a test may change. */
export class EdgeBench extends ServiceBench {
  address = '192.0.2.1';
  readonly app: ReturnType<typeof createApp>;

  constructor({ edge, failures }: EdgeBenchOptions = {}) {
    super();
    const shutdown = new AbortController();
    onTestFinished(() => shutdown.abort());
    this.app = createApp({
      service: createService(this.deps, this.metrics.sessions.countEvents(this.audit), this.metrics.sessions),
      authenticate: guardAuthentication(createAuthenticate(this.sessions, ADMIN_TOKEN, this.clock.now), failures),
      audit: this.audit,
      addressOf: () => this.address,
      log: this.deps.log,
      metrics: this.metrics,
      version: '1.2.3',
      shutdown: shutdown.signal,
      ...(edge === undefined ? {} : { edge }),
    });
  }

  send(method: string, path: string, headers: Record<string, string> = {}, body?: object): Promise<Response> {
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return Promise.resolve(this.app.request(path, { method, headers: { ...type, ...headers }, ...json }));
  }

  list(token: string): Promise<Response> {
    return this.send('GET', '/api/uploads', { authorization: `Bearer ${token}` });
  }

  /** Records another admin token and returns it. */
  async issueAdminToken(): Promise<string> {
    const token = newToken(TOKEN_PREFIX);
    await this.sessions.insertToken(aToken({ scopes: ['admin'], hash: hashToken(token) }));
    return token;
  }

  /** Listens on a free port of loopback until the test ends. */
  async listen(limits: Partial<HttpLimits> = {}, trustedProxies: readonly Network[] = []): Promise<Listening> {
    const { refused } = this.metrics.requests;
    const options = { host: '127.0.0.1', port: 0, trustedProxies, log: this.deps.log, refused, limits };
    const listening = await listen(this.app.fetch, options);
    onTestFinished(() => listening.close());
    return listening;
  }
}
