/** Something about this machine or this command line, which the person at it can change. Shown without a stack. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
