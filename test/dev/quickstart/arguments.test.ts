import { expect, it } from 'vitest';
import { parseArguments, repeatCommand } from '../../../src/dev/quickstart/arguments.ts';

it('accepts no argument, a file with options for the upload, or --serve', () => {
  expect(parseArguments([])).toEqual({ file: undefined, uploadOptions: [], serve: false });
  expect(parseArguments(['a b.mp4', '--key', 'x'])).toEqual({ file: 'a b.mp4', uploadOptions: ['--key', 'x'], serve: false });
  expect(parseArguments(['--serve'])).toEqual({ file: undefined, uploadOptions: [], serve: true });
});

it('shows its usage when an option comes first', () => {
  expect(() => parseArguments(['--overwrite', 'a.mp4'])).toThrow('--overwrite comes before the file');
  expect(() => parseArguments(['--serve', 'a.mp4'])).toThrow('Usage: npm run quickstart');
});

it('quotes the repeated command so that a shell passes the same words', () => {
  expect(repeatCommand(parseArguments([]))).toBe('npm run quickstart');
  expect(repeatCommand(parseArguments(["it's big.mp4", '--key', 'x']))).toBe("npm run quickstart -- 'it'\\''s big.mp4' --key x");
});
