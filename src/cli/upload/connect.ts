import { ControlPlane } from '../../client/control-plane/control-plane.ts';
import { agentsThrough } from '../../outbound/proxy-agents.ts';
import { parseEnvironment } from '../input/environment.ts';
import { plainHttpWarning } from '../input/plain-http.ts';
import type { CliContext } from '../terminal/context.ts';

/** Connects to the control plane that the environment names. Warns once if the token would be readable on its way. @throws UsageError */
export function connect(
  context: CliContext,
  warn: (message: string) => void = (message) => context.stderr.line(`warning: ${message}`),
): ControlPlane {
  const environment = parseEnvironment(context.env);
  const warning = plainHttpWarning(environment.server);
  if (warning !== undefined) warn(warning);
  return new ControlPlane({ ...environment, makeAgent: agentsThrough(environment.proxies) });
}
