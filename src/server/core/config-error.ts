import { HOST_ERROR_CODES } from '../../session/host-errors.ts';

/** Carries every fault of a configuration at once, so that all can be fixed in one go. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = HOST_ERROR_CODES.settings;
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}
