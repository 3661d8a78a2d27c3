import { onTestFinished } from 'vitest';

/** Collects Node's process warnings (mainly leaked listeners) from this call to the end of the test. */
export function collectWarnings(): string[] {
  const warnings: string[] = [];
  const collect = (warning: Error) => warnings.push(`${warning.name}: ${warning.message}`);
  process.on('warning', collect);
  onTestFinished(() => void process.off('warning', collect));
  return warnings;
}
