import type { ControlPlane } from '../../client/control-plane/control-plane.ts';
import type * as wire from '../../contract/wire.ts';
import { isUploadError } from '../../session/errors.ts';
import { explainError } from '../errors/error-text.ts';
import type { CliContext } from '../terminal/context.ts';
import { type Finding, fail, info, ok, warn } from './finding.ts';

const CHECK = 'part URLs are signed with';
const SIGNER = {
  sts: 'a temporary session',
  key: 'a key of its own',
  shared: "the server's own key",
} as const satisfies Record<wire.StoreReport['signing']['credentials'], string>;

/** Asks the server for its report about the store; there is none from an older server, or if it fails. */
export async function askStore(
  controlPlane: ControlPlane,
  context: CliContext,
): Promise<{ report?: wire.StoreReport; findings: Finding[] }> {
  try {
    const report = await controlPlane.store();
    return { report, findings: [judgeSigning(report)] };
  } catch (error) {
    if (isUploadError(error, 'ROUTE_NOT_FOUND')) {
      const advice = 'Compare `partway --version` on both, and update the server.';
      return { findings: [info(CHECK, 'unknown: the server is older than this program', advice)] };
    }
    const { message, hint } = explainError(error, {}, context);
    return { findings: [fail(CHECK, message, hint)] };
  }
}

/** Judges the rights of the signer: whatever trick misuses a part URL, it should allow nothing but to put that part. */
export function judgeSigning({ signing, bucket, keyPrefix }: wire.StoreReport): Finding {
  const { credentials, expiresAt } = signing;
  const until = expiresAt === null ? '' : ` until ${expiresAt}`;
  const signer = `${SIGNER[credentials]}${until}`;
  const rights = [signing.canRead && 'read', signing.canList && 'list', signing.canDelete && 'delete'].filter(
    (right) => right !== false,
  );
  if (rights.length === 0 && credentials !== 'shared') {
    return ok(CHECK, `${signer}, which can put and nothing else: to read, to list and to delete were tried and refused`);
  }
  const detail = rights.length === 0 ? signer : `${signer}, which can also ${rights.join(', ')} in bucket ${bucket}`;
  return warn(CHECK, detail, adviceFor(credentials, `arn:aws:s3:::${bucket}/${keyPrefix}*`));
}

function adviceFor(credentials: wire.StoreReport['signing']['credentials'], objects: string): string {
  const pair = 'PARTWAY_S3_SIGNING_ACCESS_KEY_ID and PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY';
  switch (credentials) {
    case 'shared':
      return `Whoever runs the server: unset PARTWAY_S3_SIGNING where the store has STS (MinIO has, for users, not for access keys of theirs), or set ${pair} to a key with the right s3:PutObject on ${objects} alone.`;
    case 'key':
      return `Whoever runs the server: take every right but s3:PutObject on ${objects} from the key in PARTWAY_S3_SIGNING_ACCESS_KEY_ID.`;
    case 'sts':
      return `The store ignores the policy of the session. Whoever runs the server: set ${pair} to a key with the right s3:PutObject on ${objects} alone.`;
  }
}
