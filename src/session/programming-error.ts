/**
 * Whether an error is a bug, in this program or in the caller's `ByteSource`, so that another attempt would fail in the same way.
 * Socket errors may have the same classes: turn them into another error where they are caught, before you ask.
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
