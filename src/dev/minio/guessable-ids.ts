import { SetupError } from '../process/setup-error.ts';

/** The ids that compose.yaml once gave root and the server's user, before it demanded ids that cannot be guessed. */
export const FORMER_IDS: readonly string[] = ['partway', 'partway-root'];
const WELL_KNOWN: ReadonlySet<string> = new Set([...FORMER_IDS, 'minioadmin']);
/** A shorter id is probably a name or a word; `openssl rand -hex 10` has 20 characters. */
const LEAST_LENGTH_OF_ROOT = 12;

export interface ConfiguredIds {
  readonly root: string;
  readonly user: string;
}

/**
 * Refuses access key ids that can be guessed. MinIO accepts forged writes that name an id it knows (CVE-2026-41145): a policy stops them for
 * the server's user, but no policy binds root. @throws SetupError with the commands that put other ids into .env.
 */
export function refuseGuessableIds({ root, user }: ConfiguredIds): void {
  const faults = [
    { name: 'PARTWAY_MINIO_ROOT_USER', id: root, isFault: WELL_KNOWN.has(root) || root.length < LEAST_LENGTH_OF_ROOT },
    { name: 'PARTWAY_S3_ACCESS_KEY_ID', id: user, isFault: WELL_KNOWN.has(user) },
  ].filter(({ isFault }) => isFault);
  if (faults.length === 0) return;
  throw new SetupError(
    [
      ...faults.map(({ name, id }) => `${name} is "${id}", which can be guessed.`),
      'MinIO accepts forged writes that name an id it knows (CVE-2026-41145), so ids must be as hard to guess as keys.',
      'Put other ids into .env, then run docker compose up again. Objects and unfinished uploads stay:',
      ...faults.map(({ name }) => `  echo "${name}=$(openssl rand -hex 10)" >> .env`),
    ].join('\n'),
  );
}
