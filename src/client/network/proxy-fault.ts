import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { UnusableProxy } from '../../outbound/proxy-failure.ts';
import { UploadError } from '../../session/errors.ts';

/** Gives an unusable proxy variable an error with a code: waiting would not help, so it must not look like an outage. */
export function explainingProxies(makeAgent: MakeAgent): MakeAgent {
  return (url, options) => {
    try {
      return makeAgent(url, options);
    } catch (error) {
      if (!(error instanceof UnusableProxy)) throw error;
      throw new UploadError('PROXY_NOT_USABLE', `${error.message}.`, { cause: error, hint: error.hint });
    }
  };
}
