import type * as wire from '../../contract/wire.ts';
import { type ForgeryTarget, forgedPartTarget } from '../../forgery/forged-part.ts';
import { tryForgery } from '../../forgery/try-forgery.ts';
import type { ForgeryVerdict } from '../../forgery/verdict.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { type Finding, fail, info, ok } from './finding.ts';

const CHECK = 'forged writes';
/** Ids of root and of the server's user in MinIO's defaults and in earlier versions of this project's compose.yaml. */
const WELL_KNOWN_IDS = ['minioadmin', 'partway', 'partway-root'] as const;
const PAGE = 'docs/minio-policy.md';

/** Tries at the public endpoint whether the store accepts unsigned writes: with the id that a part URL shows, and with well-known ids. */
export async function tryForgeries(
  part: wire.PresignedPart,
  bucket: string,
  keyPrefix: string,
  makeAgent: MakeAgent,
): Promise<Finding[]> {
  const url = new URL(part.url);
  const target = forgedPartTarget(url, bucket, keyPrefix);
  if (target === undefined) return [info(CHECK, 'not tried: the part URL carries no AWS signature')];
  const { sessionToken: _, ...elsewhere } = target;
  return [
    judgeForgedWrite(await verdictOf(target, makeAgent), url.host),
    judgeWellKnownIds(
      await Promise.all(
        WELL_KNOWN_IDS.map(
          async (accessKeyId) => [accessKeyId, await verdictOf({ ...elsewhere, accessKeyId }, makeAgent)] as const,
        ),
      ),
    ),
  ];
}

async function verdictOf(target: ForgeryTarget, makeAgent: MakeAgent): Promise<ForgeryVerdict> {
  // A store that cannot be reached has a finding of its own.
  return tryForgery(target, makeAgent).catch((): ForgeryVerdict => 'unknown');
}

export function judgeForgedWrite(verdict: ForgeryVerdict, host: string): Finding {
  switch (verdict) {
    case 'open':
      return fail(
        CHECK,
        `${host} takes writes that nothing signed (CVE-2026-41145): anyone who has seen a part URL can write any object that its signer may write`,
        `The administrator of the store: bind s3:PutObject to s3:authType, and put a shield in front of MinIO. ${PAGE} says how.`,
      );
    case 'shielded':
      return ok(CHECK, 'refused, by a policy or by a shield in front of the store');
    case 'no-hole':
      return ok(CHECK, 'refused: the store checks the signature');
    case 'no-such-id':
    case 'unknown':
      return info(CHECK, "the store's answer does not tell");
  }
}

export function judgeWellKnownIds(verdicts: readonly (readonly [id: string, verdict: ForgeryVerdict])[]): Finding {
  const check = 'access key ids that can be guessed';
  const open = verdicts.filter(([, verdict]) => verdict === 'open').map(([id]) => id);
  if (open.length > 0) {
    return fail(
      check,
      `the store takes writes in the name of ${open.join(', ')}: anyone can write there, without having seen anything`,
      `The administrator of the store: give MinIO's root and the server's user ids that cannot be guessed, and disable these. ${PAGE} says how.`,
    );
  }
  const ids = verdicts.map(([id]) => id).join(', ');
  if (verdicts.some(([, verdict]) => verdict === 'unknown'))
    return info(check, `the store's answers do not tell for all of ${ids}`);
  return ok(check, `${ids}: unknown to the store, or useless without the key`);
}
