// npm run measure [-- --root <checkout>] [--suite]: figures of the code's structure; with --suite, those of a test run, too.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { measureStructure } from './structure.js';

const { values } = parseArgs({ options: { root: { type: 'string', default: '.' }, suite: { type: 'boolean', default: false } } });

print(measureStructure(values.root));
if (values.suite) print({ 'npm test': measureSuite(values.root) });

function print(figures, indent = '') {
  for (const [name, value] of Object.entries(figures)) {
    if (typeof value !== 'object') console.log(`${indent}${name}: ${value}`);
    else {
      console.log(`${indent}${name}:`);
      print(value, `${indent}  `);
    }
  }
}

/** Bash's own `time` counts the CPU seconds of all processes that the run started and waited for. */
function measureSuite(root) {
  const { stdout } = spawnSync('bash', ['-c', 'TIMEFORMAT="%R %U %S"; { time npm test >/dev/null 2>&1; } 2>&1; echo $?'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [times, exitCode] = stdout.trim().split('\n');
  const [real, user, system] = times.split(' ').map(Number);
  const share = ((user + system) / real / availableParallelism()) * 100;
  return {
    seconds: Math.round(real),
    'CPU seconds': Math.round(user + system),
    'CPU use': `${Math.round(share)} %`,
    'exit code': exitCode,
  };
}
