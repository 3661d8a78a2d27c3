import { describe, expect, it } from 'vitest';
import {
  EXIT,
  EXIT_CODE_MEANINGS,
  exitCodeOfAll,
  exitCodeOfError,
  exitCodeOfSignal,
} from '../../../src/cli/errors/exit-codes.ts';
import { CLIENT_ERROR_CODES, type ErrorCode, SERVICE_ERROR_CODES, UploadError } from '../../../src/session/errors.ts';

it('has a documented exit code for every error code', () => {
  for (const code of [...SERVICE_ERROR_CODES, ...CLIENT_ERROR_CODES]) {
    expect(EXIT_CODE_MEANINGS[exitCodeOfError(new UploadError(code, '…'))], code).toBeTypeOf('string');
  }
});

it.each<[ErrorCode, number]>([
  ['INVALID_KEY', 2],
  ['SOURCE_NOT_FOUND', 3],
  ['SOURCE_CHANGED', 4],
  ['SERVER_UNREACHABLE', 5],
  ['OUTAGE_TOO_LONG', 5],
  ['UNAUTHORIZED', 6],
  ['STORE_FULL', 7],
  ['OBJECT_EXISTS', 8],
  ['SESSION_NOT_FOUND', 9],
  ['VERIFY_MISMATCH', 10],
  ['INTERRUPTED', 130],
])('%s ends with %i', (code, exitCode) => {
  expect(exitCodeOfError(new UploadError(code, '…'))).toBe(exitCode);
});

it('distinguishes a completed session from one that is gone', () => {
  const notOpen = (sessionStatus: string) => new UploadError('SESSION_NOT_OPEN', '…', { facts: { sessionStatus } });
  expect(exitCodeOfError(notOpen('completed'))).toBe(EXIT.conflict);
  expect(exitCodeOfError(notOpen('expired'))).toBe(EXIT.sessionGone);
});

it('gives each signal the exit code that shells expect', () => {
  expect([exitCodeOfSignal('SIGHUP'), exitCodeOfSignal('SIGINT'), exitCodeOfSignal('SIGTERM')]).toEqual([129, 130, 143]);
});

describe('several files', () => {
  it('end with 0 when all went well', () => {
    expect(exitCodeOfAll([0, 0])).toBe(0);
  });

  it('end with the failure that all failures share', () => {
    expect(exitCodeOfAll([3, 0, 3])).toBe(3);
  });

  it('end with 1 when they failed for different reasons', () => {
    expect(exitCodeOfAll([3, 8])).toBe(1);
  });
});
