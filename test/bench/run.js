// Runs a benchmark written in TypeScript: node test/bench/run.js memory [arguments]
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const [name, ...benchArguments] = process.argv.slice(2);
const { module } = await runnerImport(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), {
  configFile: false,
  logLevel: 'error',
});
await module.run(benchArguments);
