import type { ForgeryVerdict } from '../../object-store/port.ts';
import { UploadError } from '../../session/errors.ts';
import type { Instant } from '../../session/session.ts';
import type { Log, ServiceDeps } from '../core/deps.ts';

/** How long a verdict counts. After that, another store may be behind the same address, or it may have other policies. */
const VALID_MS = 60_000;
/** How long the verdict `open` counts: shorter, so that a closed hole is noticed without a restart of the server. */
const OPEN_VALID_MS = 10_000;

export interface ForgeryGuard {
  /**
   * Resolves unless the store is known to take forged writes. Waits for the first verdict, and for a new one while the store is open;
   * otherwise an old verdict counts until there is a new one.
   * @throws UploadError `STORE_OPEN_TO_FORGERY`, or ObjectStoreError where there is no verdict yet and the store does not answer
   */
  check(): Promise<void>;
  /** The latest verdict; `unknown` before the first. */
  verdict(): ForgeryVerdict;
}

type GuardDeps = Pick<ServiceDeps, 'objects' | 'now' | 'log'> & { readonly policy: Pick<ServiceDeps['policy'], 'allowForgery'> };

/** Keeps uploads away from a store that takes unsigned writes (SECURITY.md), unless the administrator accepts that by `allowForgery`. */
export function createForgeryGuard({ objects, now, log, policy }: GuardDeps): ForgeryGuard {
  let latest: { readonly verdict: ForgeryVerdict; readonly at: Instant } | undefined;
  let asking: Promise<ForgeryVerdict> | undefined;

  function ask(): Promise<ForgeryVerdict> {
    asking ??= objects
      .tryForgery()
      .then((verdict) => {
        if (verdict !== latest?.verdict) logVerdict(log, { before: latest?.verdict, verdict, isAllowed: policy.allowForgery });
        latest = { verdict, at: now() };
        return verdict;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  }

  /** A clock that was set back must not keep a verdict for longer. */
  function isFresh(): boolean {
    if (latest === undefined) return false;
    return Math.abs(now() - latest.at) < (latest.verdict === 'open' ? OPEN_VALID_MS : VALID_MS);
  }

  function askInBackground(): void {
    ask().catch((error: unknown) =>
      log.warn({ err: error }, 'it could not be found out whether the object store takes forged writes'),
    );
  }

  async function current(): Promise<ForgeryVerdict> {
    if (latest === undefined) return ask();
    if (isFresh()) return latest.verdict;
    if (latest.verdict === 'open') return ask();
    askInBackground();
    return latest.verdict;
  }

  return {
    async check() {
      if (policy.allowForgery) {
        if (!isFresh()) askInBackground();
        return;
      }
      if ((await current()) === 'open') throw openToForgery();
    },
    verdict: () => latest?.verdict ?? 'unknown',
  };
}

const OPEN =
  'the object store does not check the signature of some writes: anyone who has seen a part URL can write any object that its signer may write';

function logVerdict(
  log: Log,
  { before, verdict, isAllowed }: { before: ForgeryVerdict | undefined; verdict: ForgeryVerdict; isAllowed: boolean },
): void {
  switch (verdict) {
    case 'open':
      if (isAllowed) log.warn({ verdict }, `${OPEN}; PARTWAY_S3_ALLOW_FORGERY lets uploads begin nevertheless`);
      else log.error({ verdict }, `${OPEN}; no upload begins until that is closed (docs/minio-policy.md)`);
      return;
    case 'unknown':
    case 'no-such-id':
      log.warn({ verdict }, 'the answer of the object store does not show whether it takes forged writes');
      return;
    case 'shielded':
    case 'no-hole':
      // Logged only after another verdict.
      if (before !== undefined) log.info({ verdict }, 'the object store refuses forged writes');
  }
}

function openToForgery(): UploadError {
  return new UploadError('STORE_OPEN_TO_FORGERY', 'The object store takes unsigned writes, so no upload begins.', {
    hint: 'The administrator of the server must close the hole: docs/minio-policy.md says how, and partway doctor checks it.',
  });
}
