/**
 * Whether an error is a mistake in the program, be it this one or the caller's `ByteSource`, so that a repeat would fail in the same
 * way. Errors of sockets may belong to the same classes: make them another error first, where they are caught.
 */
export function isProgrammingError(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError ||
    error instanceof EvalError ||
    error instanceof URIError
  );
}
