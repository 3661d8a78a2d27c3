import { onTestFinished } from 'vitest';

/** Node's process warnings (leaked listeners above all) from here to the end of the test. */
export function collectWarnings(): string[] {
  const warnings: string[] = [];
  const collect = (warning: Error) => warnings.push(`${warning.name}: ${warning.message}`);
  process.on('warning', collect);
  onTestFinished(() => void process.off('warning', collect));
  return warnings;
}
