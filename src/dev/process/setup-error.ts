/** A fault in this host's set-up or in the command line, which its user can fix. Shown without a stack. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
