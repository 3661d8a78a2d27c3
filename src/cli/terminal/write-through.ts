import type { TextOutput } from './text-output.ts';

/**
 * Writes text and waits until it is on its way, so that a slow reader is not outrun. False where nobody reads any more
 * (`| head`): there is no use in going on then.
 */
export function writeThrough(output: TextOutput, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    output.write(text, (error) => resolve(error === undefined || error === null));
  });
}
