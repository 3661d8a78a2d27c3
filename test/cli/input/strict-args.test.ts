import type { ArgsDef } from 'citty';
import { describe, expect, it } from 'vitest';
import { checkArguments, valuesOf } from '../../../src/cli/input/strict-args.ts';
import { UsageError } from '../../../src/cli/input/usage-error.ts';
import { didYouMean } from '../../../src/text/did-you-mean.ts';

const DEFINITIONS: ArgsDef = {
  'file…': { type: 'positional', required: true },
  key: { type: 'string' },
  overwrite: { type: 'boolean' },
  'part-size': { type: 'string' },
  network: { type: 'enum', options: ['auto', 'reliable'] },
  tag: { type: 'string', valueHint: 'name=value…' },
};
const ONE_ID: ArgsDef = { session_id: { type: 'positional', required: true }, file: { type: 'positional', required: false } };

function faultsOf(words: string[], definitions = DEFINITIONS): readonly string[] {
  try {
    checkArguments(words, definitions, 'upload');
    return [];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.faults;
  }
}

describe('checkArguments', () => {
  it.each([
    [['a.mov']],
    [['a.mov', 'b.mov', '--overwrite']],
    [['--key', 'k', 'a.mov', '--part-size=16MiB']],
    [['--network', 'auto', 'a.mov']],
    [['--', '-strange-name.mov', '--key']],
    [['--key=-k', 'a.mov']],
    [['--tag', 'a=1', 'a.mov', '--tag=b=2', '--tag', 'a=3']],
  ])('takes %j', (words) => {
    expect(faultsOf(words)).toEqual([]);
  });

  it.each([
    [['a', '--overwrit'], 'There is no flag --overwrit. Did you mean --overwrite?'],
    [['a', '--partSize=1'], 'There is no flag --partSize. Did you mean --part-size?'],
    [['a', '--no-overwrite'], 'There is no flag --no-overwrite. Leave out --overwrite instead.'],
    [['-x.mov', 'a'], 'There is no flag -x.mov. (A file whose name starts with "-" comes after "--".)'],
    [['a', '--key'], '--key needs a value.'],
    [['a', '--key='], '--key needs a value.'],
    [['a', '--key', '--overwrite'], '--key needs a value. (For one that starts with "-": --key=--overwrite)'],
    [['a', '--overwrite=yes'], '--overwrite takes no value.'],
    [['a', '--key', 'x', '--key=y'], '--key is given twice.'],
    [['a', '--tag', 'x=1', '--tag'], '--tag needs a value.'],
    [['a', '--network', 'bad'], '--network must be one of auto, reliable, not "bad".'],
    [['--overwrite'], 'FILE is missing.'],
    [['a', ''], 'An argument is empty.'],
  ])('refuses %j', (words, fault) => {
    expect(faultsOf(words)).toEqual([fault]);
  });

  it.each<[string, string[], string[]]>([
    ['left out', [], ['--name is missing (Whose it is).', '--size is missing.']],
    [
      'left out beside other faults',
      ['--nam', 'x', '--size', '1'],
      ['There is no flag --nam. Did you mean --name?', '--name is missing (Whose it is).', '"x" is one argument too many.'],
    ],
    ['given without a value', ['--name', '--size=1'], ['--name needs a value. (For one that starts with "-": --name=--size=1)']],
    ['given', ['--name', 'x', '--size=1'], []],
    [
      'behind the dashes',
      ['--', '--name'],
      ['--name is missing (Whose it is).', '--size is missing.', '"--name" is one argument too many.'],
    ],
  ])('refuses a command without its required flags: %s', (_, words, faults) => {
    const definitions: ArgsDef = {
      name: { type: 'string', required: true, description: 'Whose it is' },
      size: { type: 'string', required: true },
      rotate: { type: 'boolean' },
    };
    expect(faultsOf(words, definitions)).toEqual(faults);
  });

  it('names the variable that is set instead of a flag', () => {
    const faultsWith = (words: string[]) => {
      try {
        checkArguments(words, {}, 'serve', ['PARTWAY_PORT', 'PARTWAY_S3_BUCKET']);
      } catch (error) {
        return (error as UsageError).faults;
      }
      return [];
    };
    expect(faultsWith(['--port=8080'])).toEqual(['There is no flag --port. Set it in the environment: PARTWAY_PORT=…']);
    expect(faultsWith(['--s3-bucket=videos'])).toEqual([
      'There is no flag --s3-bucket. Set it in the environment: PARTWAY_S3_BUCKET=…',
    ]);
    expect(faultsWith(['--bucket=videos'])).toEqual([expect.not.stringContaining('PARTWAY')]);
  });

  it('names missing and surplus arguments of commands that take one session', () => {
    expect(faultsOf([], ONE_ID)).toEqual(['SESSION_ID is missing.']);
    expect(faultsOf(['ses_1', 'file', 'more'], ONE_ID)).toEqual(['"more" is one argument too many.']);
  });

  it('names all faults at once', () => {
    expect(faultsOf(['--bogus', '--key'])).toHaveLength(3);
  });
});

describe('valuesOf', () => {
  it('returns all values of a flag that may be repeated, in order', () => {
    const words = ['--tag', 'a=1', 'a.mov', '--tag=b==2', '--overwrite', '--key', 'k', '--tag', 'c=', '--', '--tag', 'd=4'];
    expect(valuesOf(words, DEFINITIONS, 'tag')).toEqual(['a=1', 'b==2', 'c=']);
    expect(valuesOf(['--key', 'k'], DEFINITIONS, 'tag')).toEqual([]);
  });
});

describe('didYouMean', () => {
  it.each([
    ['uplaod', 'upload'],
    ['stat', 'status'],
    ['Upload', 'upload'],
  ])('takes %s for %s', (typed, meant) => {
    expect(didYouMean(typed, ['upload', 'resume', 'status', 'list'])).toBe(meant);
  });

  it('suggests nothing if no candidate is near', () => {
    expect(didYouMean('frobnicate', ['upload', 'resume'])).toBeUndefined();
  });
});
