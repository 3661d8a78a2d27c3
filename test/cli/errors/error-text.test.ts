import { describe, expect, it } from 'vitest';
import { ERROR_WORDS } from '../../../src/cli/errors/error-meanings.ts';
import { debugTrace, explainError } from '../../../src/cli/errors/error-text.ts';
import { shellQuote } from '../../../src/cli/format/shell-quote.ts';
import { UsageError } from '../../../src/cli/input/usage-error.ts';
import { bytesSource } from '../../../src/client/source/byte-source.ts';
import { keepsChanging } from '../../../src/client/source/source-changes.ts';
import { UploadError } from '../../../src/session/errors.ts';
import { GiB } from '../../../src/session/part-plan.ts';
import { aWireSession } from '../../support/server/wire-sessions.ts';

const LINUX = { platform: 'linux' } as const;
const SUBJECT = { sessionId: 'ses_1', path: "/cards/it's A.mov" };

describe('an error says what happened, what it means, and what to type', () => {
  it('when the file changed', () => {
    const error = new UploadError('SOURCE_CHANGED', 'A.mov changed while it was being uploaded.', {
      hint: 'Upload it elsewhere.',
    });
    expect(explainError(error, SUBJECT, LINUX).text).toBe(
      [
        'error: A.mov changed while it was being uploaded.',
        '  Mixing old and new contents would corrupt the object, so nothing more was sent. The old parts are still stored.',
        '  With the file as it was, resume. To upload it as it is now instead, discard the old parts first, which cannot be undone:',
        "  Resume:  partway resume ses_1 '/cards/it'\\''s A.mov'",
        '  Discard:  partway abort ses_1',
        "  Upload:  partway upload '/cards/it'\\''s A.mov'",
      ].join('\n'),
    );
  });

  it('when the file keeps changing, without advice to discard what is stored', () => {
    const error = keepsChanging(bytesSource(new Uint8Array(), 'A.mov'));
    expect(explainError(error, SUBJECT, LINUX).text).toBe(
      [
        'error: A.mov keeps changing: whenever it was compared with what is stored, its times were others afterwards.',
        '  A program keeps changing the file or its times, so it could not be compared, and nothing was completed. What is stored stays stored; nothing of it will be sent again.',
        '  Wait until no program writes to the file, then:',
        "  Resume:  partway resume ses_1 '/cards/it'\\''s A.mov'",
      ].join('\n'),
    );
  });

  it('when the server describes a finished object other than the one that was sent, also after the session completed', () => {
    const error = new UploadError('RESULT_MISMATCH', "The server's answer is not about what was sent.");
    for (const session of [aWireSession({ status: 'open' }), aWireSession({ status: 'completed' })]) {
      const { text, exitCode } = explainError(error, { ...SUBJECT, session }, LINUX);
      expect(text).toContain(
        "Keep the file. To compare it with the object itself:\n  Compare:  partway verify ses_1 '/cards/it'",
      );
      expect(text).not.toContain('abort');
      expect(exitCode).toBe(10);
    }
  });

  it('when there is no session with the id, or none that the token may see', () => {
    const error = new UploadError('SESSION_NOT_FOUND', 'There is no session foo.');
    expect(explainError(error, { sessionId: 'foo' }, LINUX).text).toBe(
      [
        'error: There is no session foo.',
        '  This server has no session with this id, or the session belongs to another token.',
        '  Check the id with `partway list`, and that PARTWAY_SERVER names the server that made it.',
      ].join('\n'),
    );
  });

  it('when the server cannot be reached before there is a session', () => {
    const error = new UploadError('SERVER_UNREACHABLE', 'The partway server at X cannot be reached: ECONNREFUSED.', {
      hint: 'Check it.',
    });
    expect(explainError(error, {}, LINUX).text).toBe(
      [
        'error: The partway server at X cannot be reached: ECONNREFUSED.',
        '  What is stored stays stored; nothing of it will be sent again.',
        '  Check it.',
      ].join('\n'),
    );
  });

  it('when the token was revoked during an upload: what is stored is safe, and how to go on', () => {
    const { text, exitCode } = explainError(
      new UploadError('UNAUTHORIZED', 'The server does not know this token.'),
      SUBJECT,
      LINUX,
    );
    expect(text).toContain('What is stored stays stored');
    expect(text).toContain("Resume:  partway resume ses_1 '/cards/it'\\''s A.mov'");
    expect(text).not.toContain('nothing was sent');
    expect(exitCode).toBe(6);
  });

  it('with no command for an impossible id, which would become words of a shell', () => {
    for (const sessionId of ['$(id)', '--overwrite', 'a b', '../x']) {
      const { text } = explainError(new UploadError('OUTAGE_TOO_LONG', 'No answer.'), { ...SUBJECT, sessionId }, LINUX);
      expect(text).not.toContain(sessionId);
    }
  });

  it('when an object exists', () => {
    const error = new UploadError('OBJECT_EXISTS', 'videos/A.mov exists already.', { hint: 'Choose another key.' });
    const { text, exitCode } = explainError(error, { path: '/A.mov' }, LINUX);
    expect(text).toContain(
      "Choose another name with --key, or replace the object:\n  Replace:  partway upload --overwrite '/A.mov'",
    );
    expect(exitCode).toBe(8);
  });

  it('with the key that was typed', () => {
    const error = new UploadError('OBJECT_EXISTS', 'videos/my key exists already.');
    expect(explainError(error, { path: '/A.mov', key: 'my key' }, LINUX).text).toContain(
      "partway upload --overwrite '/A.mov' --key 'my key'",
    );
  });

  it('with the template by which the person named the objects', () => {
    const subject = { path: '/A.mov', keyTemplate: '{date}/{fileName}' };
    expect(explainError(new UploadError('OBJECT_EXISTS', 'It exists.'), subject, LINUX).text).toContain(
      "partway upload --overwrite '/A.mov' --key-template '{date}/{fileName}'",
    );
  });

  it('without offering to discard a completed upload', () => {
    const error = new UploadError('SOURCE_CHANGED', 'The object has other bytes.', { hint: 'Upload it under another key.' });
    const { text } = explainError(error, { ...SUBJECT, session: aWireSession({ status: 'completed' }) }, LINUX);
    expect(text).not.toContain('partway abort');
    expect(text).toContain('Upload it under another key.');
  });

  it('for every code, without repeating a sentence', () => {
    for (const code of Object.keys(ERROR_WORDS) as (keyof typeof ERROR_WORDS)[]) {
      const { text, hint } = explainError(new UploadError(code, 'It happened.'), SUBJECT, LINUX);
      expect(hint, code).not.toBe('');
      const lines = text.split('\n');
      expect(new Set(lines).size, code).toBe(lines.length);
    }
  });
});

it('names all faults of a wrong command line', () => {
  const error = new UsageError(['--key needs a value.', 'FILE is missing.'], 'See: partway upload --help');
  expect(explainError(error, {}, LINUX)).toMatchObject({
    code: 'USAGE',
    exitCode: 2,
    text: 'error: --key needs a value.\nerror: FILE is missing.\n  See: partway upload --help',
  });
});

describe('after an interruption', () => {
  const interrupted = new UploadError('INTERRUPTED', 'The upload was interrupted.');

  it('says how much is stored, and exactly how to go on', () => {
    const session = aWireSession({
      sessionId: 'ses_1',
      size: 42 * GiB,
      storedBytes: 31.2 * GiB,
      expiresAt: new Date(2026, 8, 25, 18, 0).toISOString(),
    });
    expect(explainError(interrupted, { ...SUBJECT, session }, LINUX).text).toBe(
      "Interrupted: 31.2 of 42.0 GiB stored (74 %).   Resume: partway resume ses_1 '/cards/it'\\''s A.mov'   Discard: partway abort ses_1   Kept until Fri 25 Sep 2026 18:00",
    );
  });

  it('takes the earlier of the two instants that parts are kept until', () => {
    const session = aWireSession({ partsKeptUntil: new Date(2026, 8, 24, 9, 30).toISOString() });
    expect(explainError(interrupted, { session }, LINUX).text).toContain('Kept until Thu 24 Sep 2026 09:30');
  });

  it('says so when nothing was sent yet', () => {
    expect(explainError(interrupted, {}, LINUX).text).toBe(
      'Interrupted: nothing was sent yet. Run the same command again to go on.',
    );
  });
});

describe('an unexpected error', () => {
  const bug = new TypeError('x is not a function');

  it('is explained without a stack', () => {
    const { text, exitCode } = explainError(bug, {}, LINUX);
    expect(text).toBe(
      'error: x is not a function\n  This is unexpected: probably a bug in partway. What is stored stays stored.\n  Please report it. PARTWAY_DEBUG=1 shows where it happened.',
    );
    expect(exitCode).toBe(1);
    expect(debugTrace(bug, { env: {} })).toBe('');
  });

  it('shows its stack and its causes with PARTWAY_DEBUG=1', () => {
    const trace = debugTrace(new Error('outer', { cause: bug }), { env: { PARTWAY_DEBUG: '1' } });
    expect(trace).toMatch(/^Error: outer\n {4}at [\s\S]*caused by TypeError: x is not a function\n {4}at /);
  });
});

it('quotes paths for the shell of the platform', () => {
  expect(shellQuote("a 'b' $c", 'linux')).toBe("'a '\\''b'\\'' $c'");
  expect(shellQuote("it's \\\x1b[2J\u202e日.mov")).toBe("$'it\\'s \\\\\\033[2J\\342\\200\\256日.mov'");
  expect(shellQuote('C:\\My Files\\a.mov', 'win32')).toBe('"C:\\My Files\\a.mov"');
});
