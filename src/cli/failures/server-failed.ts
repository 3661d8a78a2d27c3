/** `partway serve` could not start, or stopped by a fault. The message of the cause is for the person who runs it. */
export class ServerFailed extends Error {
  override readonly name = 'ServerFailed';

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
