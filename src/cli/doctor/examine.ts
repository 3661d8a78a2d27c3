import { ControlPlane } from '../../client/control-plane/control-plane.ts';
import { agentsThrough } from '../../outbound/proxy-agents.ts';
import { describeWay } from '../../outbound/proxy-settings.ts';
import { isUploadError } from '../../session/errors.ts';
import { explainError } from '../errors/error-text.ts';
import { type Environment, parseEnvironment } from '../input/environment.ts';
import { plainHttpWarning } from '../input/plain-http.ts';
import { UsageError } from '../input/usage-error.ts';
import type { CliContext } from '../terminal/context.ts';
import { clockOffset, judgeClock } from './clock.ts';
import { type Finding, fail, info, ok, warn } from './finding.ts';
import { askStore } from './signing.ts';
import { tryStore } from './store-trial.ts';

/** Checks in the order of dependence, and stops when the remaining checks could only repeat the same failure. */
export async function* examine(context: CliContext, partSize?: number): AsyncGenerator<Finding> {
  const environment = readEnvironment(context);
  yield* environment.findings;
  if (environment.value === undefined) return;
  const controlPlane = new ControlPlane({ ...environment.value, makeAgent: agentsThrough(environment.value.proxies) });

  const reach = await checkReach(controlPlane, context);
  yield* reach;
  if (reach.some(({ outcome }) => outcome === 'fail')) return;

  const token = await checkToken(controlPlane, context);
  yield token;
  yield* await checkReadiness(controlPlane, context);
  if (token.outcome === 'fail') return;
  const store = await askStore(controlPlane, context);
  yield* store.findings;
  const { keyPrefix = '', corsOrigins = [] } = store.report ?? {};
  const origins = { server: environment.value.server, configured: corsOrigins };
  yield* await tryStore(controlPlane, { keyPrefix, origins, proxies: environment.value.proxies, size: partSize }, context);
}

function readEnvironment(context: CliContext): { value?: Environment; findings: Finding[] } {
  try {
    const value = parseEnvironment(context.env);
    const findings = [ok('configuration', `PARTWAY_SERVER is ${value.server}, PARTWAY_TOKEN is set`)];
    const way = describeWay(value.proxies, value.server);
    if (way !== undefined) findings.push(info('the way to the server', way));
    const warning = plainHttpWarning(value.server);
    if (warning !== undefined)
      findings.push(
        warn('the way to the server', warning, 'To serve HTTPS: PARTWAY_TLS_CERT and PARTWAY_TLS_KEY, in docs/server.md.'),
      );
    return { value, findings };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { findings: error.faults.map((fault) => fail('configuration', fault, 'Set it and run partway doctor again.')) };
  }
}

async function checkReach(controlPlane: ControlPlane, context: CliContext): Promise<Finding[]> {
  const check = 'control plane reachable';
  const startedAt = performance.now();
  try {
    const { date } = await controlPlane.health();
    const tookMs = Math.round(performance.now() - startedAt);
    return [ok(check, `answered in ${tookMs} ms`), ...judgeClock('the server', clockOffset(date, context.now()))];
  } catch (error) {
    const { message, hint } = explainError(error, {}, context);
    return [fail(check, message, hint)];
  }
}

async function checkToken(controlPlane: ControlPlane, context: CliContext): Promise<Finding> {
  try {
    await controlPlane.list({ limit: 1 });
    return ok('token accepted', 'yes');
  } catch (error) {
    const { message, hint } = explainError(error, {}, context);
    return isUploadError(error, 'UNAUTHORIZED') ? fail('token accepted', message, hint) : fail('list sessions', message, hint);
  }
}

/** Asks the server whether it has what it needs. */
async function checkReadiness(controlPlane: ControlPlane, context: CliContext): Promise<Finding[]> {
  try {
    const { checks } = await controlPlane.readiness();
    return Object.entries(checks).map(([name, { ok: isGood, detail }]) =>
      isGood ? ok(`server: ${name}`, detail ?? 'fine') : fail(`server: ${name}`, detail ?? 'not working', adviceFor(name)),
    );
  } catch (error) {
    const { message, hint } = explainError(error, {}, context);
    return [fail('server: ready', message, hint)];
  }
}

function adviceFor(check: string): string {
  if (check === 'forgedWrites') return 'The administrator of the store must close the hole: docs/minio-policy.md says how.';
  if (/data|session/i.test(check)) return 'Whoever runs the server: check PARTWAY_DATABASE_URL, its folder and its disk.';
  return 'Whoever runs the server: check PARTWAY_S3_ENDPOINT, the access key and PARTWAY_S3_BUCKET, and that the store runs.';
}
