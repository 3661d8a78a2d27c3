import { dirname } from 'node:path';
import { describeWay } from '../../outbound/proxy-settings.ts';
import type { Log } from '../core/deps.ts';
import type { Config } from './config.ts';

/* Facts about the configuration that the log shows at the start. */

const EARLIER_FOLDER =
  'the data folder of an earlier version holds files and goes on being used; to change, stop the server and rename that folder to the new one';

/** Logs that the data folder of an earlier version goes on being used, if anything of this server is in it. */
export function warnOfEarlierFolder({ dataFolder: { folder, newFolder }, database, auditPath }: Config, log: Log): void {
  const used = [auditPath, database.kind === 'sqlite' ? database.path : undefined];
  if (newFolder === undefined || !used.some((path) => path !== undefined && dirname(path) === folder)) return;
  log.warn({ folder, newFolder }, EARLIER_FOLDER);
}

/** Logs which of the server's own connections go through a proxy, if any is set. The webhook's URL may be a secret, so it is not shown. */
export function logProxies({ proxies, s3, webhook }: Config, log: Log): void {
  const storeWay = describeWay(proxies, s3.endpoint);
  if (storeWay !== undefined) log.info({ endpoint: new URL(s3.endpoint).origin }, `the object store is reached ${storeWay}`);
  const webhookWay = webhook && describeWay(proxies, webhook.url.reveal());
  if (webhookWay !== undefined) log.info({}, `the webhook is reached ${webhookWay}`);
}
