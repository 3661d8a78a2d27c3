import type { ProxySettings } from '../../outbound/proxy-settings.ts';
import type { Environment } from '../core/environment.ts';
import type { TlsFiles } from '../http/tls.ts';

/*
 * Faults between two settings. They are found in the environment, beside the schema: zod checks several fields together only after
 * each has passed, and all faults are to be reported at once.
 */

/** Reports a signing key that is half set, missing where it is chosen, or set where something else is. */
export function signingKeyFaults(env: Environment): string[] {
  const { PARTWAY_S3_SIGNING: kind = 'auto' } = env;
  const names = ['PARTWAY_S3_SIGNING_ACCESS_KEY_ID', 'PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY'];
  const isNamed = names.some((name) => env[name] !== undefined);
  if (isNamed && (kind === 'sts' || kind === 'shared'))
    return [`PARTWAY_S3_SIGNING is ${kind}, so ${names.join(' and ')} must not be set`];
  if (!isNamed && kind !== 'key') return [];
  return names.filter((name) => env[name] === undefined).map((name) => `${name} is not set (signing by a key needs both)`);
}

/** Reports a webhook URL without a secret, and a secret without a URL. */
export function webhookFaults({ PARTWAY_WEBHOOK_URL: url, PARTWAY_WEBHOOK_SECRET: secret }: Environment): string[] {
  if (url !== undefined && secret === undefined)
    return ['PARTWAY_WEBHOOK_SECRET is not set (the secret that signs events to PARTWAY_WEBHOOK_URL)'];
  if (url === undefined && secret !== undefined) return ['PARTWAY_WEBHOOK_URL is not set (where events are sent)'];
  return [];
}

/** Reports unusable proxies, but only those that store or webhook would be reached through. The webhook's URL may be a secret, so it is not quoted. */
export function proxyFaults(
  { faultFor }: ProxySettings,
  { PARTWAY_S3_ENDPOINT: store, PARTWAY_WEBHOOK_URL: webhook }: Environment,
): string[] {
  const faultOf = (url: string | undefined) => (url !== undefined && URL.canParse(url) ? faultFor(url) : undefined);
  const [storeFault, webhookFault] = [faultOf(store), faultOf(webhook)];
  return [
    ...(storeFault === undefined ? [] : [`${storeFault.message}. ${storeFault.hint}`]),
    ...(webhookFault === undefined
      ? []
      : [
          `${webhookFault.variable} names a proxy that cannot be used, and PARTWAY_WEBHOOK_URL would go through it: name its host in NO_PROXY, or set HTTPS_PROXY (HTTP_PROXY for http:) to an HTTP proxy`,
        ]),
  ];
}

/** Returns the two files, undefined if neither is set, or the fault if only one is. */
export function parseTls({ PARTWAY_TLS_CERT: certPath, PARTWAY_TLS_KEY: keyPath }: Environment): TlsFiles | string | undefined {
  if (certPath && keyPath) return { certPath, keyPath };
  if (certPath) return 'PARTWAY_TLS_KEY is not set (the key of the certificate in PARTWAY_TLS_CERT)';
  if (keyPath) return 'PARTWAY_TLS_CERT is not set (the certificate of the key in PARTWAY_TLS_KEY)';
  return undefined;
}
