// Figures of the code's structure: sizes, comments, folders, rings, repeated lines. Reads files, runs nothing of the project.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseSync, Visitor } from 'vite';

/** Lines that must repeat in a row to count as doubled. */
const REPEATED_LINES = 6;
const MOST_FILES = 15;

/** @param {string} root a checkout of partway */
export function measureStructure(root) {
  const source = readSources(root, 'src');
  const tests = readSources(root, 'test');
  const functions = source.flatMap(({ path, text }) => functionLengths(path, text));
  return {
    src: sizes(source),
    tests: sizes(tests),
    'test lines per line of src': round(lineCount(tests) / lineCount(source)),
    'lines per function (median · p90 · max)': spread(functions),
    'functions over 60 lines': functions.filter((lines) => lines > 60).length,
    [`folders over ${MOST_FILES} files`]: crowdedFolders(source),
    'rings between folders': rings(folderImports(source)),
    'rings between files': rings(fileImports(source)),
    'repeated lines': repeatedLines(source),
    'comments that start with Who, What or Of': comments(source).filter(isClause).length,
    'comments that say nobody or somebody': comments(source).filter((text) => /\b(nobody|somebody)\b/i.test(text)).length,
  };
}

function readSources(root, folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));
}

function sizes(files) {
  const lines = files.map(({ text }) => text.trimEnd().split('\n').length);
  const folders = new Set(files.map(({ path }) => dirname(path)));
  const full = files.flatMap(({ text }) => text.split('\n')).filter((line) => line.trim() !== '');
  const commented = full.filter((line) => /^\s*(\/\/|\/\*|\*)/.test(line)).length;
  return {
    files: files.length,
    folders: folders.size,
    lines: lineCount(files),
    'lines per file (median · p90 · max)': spread(lines),
    'files over 300 lines': lines.filter((count) => count > 300).length,
    'comment share': `${round((commented / full.length) * 100)} %`,
  };
}

function lineCount(files) {
  return files.reduce((total, { text }) => total + text.trimEnd().split('\n').length, 0);
}

/** Lines of named functions, methods and named arrow functions, without the functions nested in them. */
function functionLengths(path, text) {
  const found = [];
  const add = (node) => node && found.push([node.start, node.end]);
  new Visitor({
    FunctionDeclaration: add,
    MethodDefinition: (node) => add(node.value),
    Property: (node) => node.method && add(node.value),
    VariableDeclarator: (node) => ['ArrowFunctionExpression', 'FunctionExpression'].includes(node.init?.type) && add(node.init),
  }).visit(parseSync(path, text).program);
  const lines = ([start, end]) => text.slice(start, end).split('\n').length;
  const within = ([start, end], [a, b]) => start < a && b <= end;
  const outermostWithin = (outer) => {
    const inner = found.filter((other) => within(outer, other));
    return inner.filter((one) => !inner.some((other) => within(other, one)));
  };
  return found.map((outer) => lines(outer) - outermostWithin(outer).reduce((sum, inner) => sum + lines(inner) - 1, 0));
}

function crowdedFolders(files) {
  const counts = new Map();
  for (const { path } of files) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  const crowded = [...counts].filter(([, count]) => count > MOST_FILES).map(([folder, count]) => `${folder} ${count}`);
  return crowded.length === 0 ? 'none' : crowded.join(', ');
}

/** Imports of types count: they tie two files together as values do. */
function fileImports(files) {
  const pairs = files.flatMap(({ path, text }) =>
    [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, target]) => [path, join(dirname(path), target)]),
  );
  return graphOf(pairs);
}

function folderImports(files) {
  const pairs = [...fileImports(files)].flatMap(([from, targets]) => [...targets].map((to) => [dirname(from), dirname(to)]));
  return graphOf(pairs.filter(([from, to]) => from !== to));
}

function graphOf(pairs) {
  const graph = new Map();
  for (const [from, to] of pairs) graph.set(from, (graph.get(from) ?? new Set()).add(to));
  return graph;
}

/** Groups of nodes that reach each other. */
function rings(graph) {
  const reached = new Map([...graph.keys()].map((node) => [node, reach(graph, node)]));
  const inRing = [...graph.keys()].filter((node) => reached.get(node).has(node));
  const groups = new Set(
    inRing.map((node) =>
      inRing
        .filter((other) => reached.get(node).has(other) && reached.get(other)?.has(node))
        .sort()
        .join(' '),
    ),
  );
  return groups.size;
}

function reach(graph, start) {
  const seen = new Set();
  const open = [...(graph.get(start) ?? [])];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    open.push(...(graph.get(node) ?? []));
  }
  return seen;
}

/** Lines of code that stand in at least two places, six in a row; imports, brackets and blank lines do not count. */
function repeatedLines(files) {
  const windows = new Map();
  for (const { path, text } of files) {
    const lines = text.split('\n').map((line, index) => ({ text: line.trim(), at: `${path}:${index}` }));
    const code = lines.filter(({ text: line }) => line.length > 3 && !/^(import|export \*|\/\/|\/?\*)/.test(line));
    for (let i = 0; i + REPEATED_LINES <= code.length; i++) {
      const run = code.slice(i, i + REPEATED_LINES);
      const key = run.map(({ text: line }) => line).join('\n');
      windows.set(key, [...(windows.get(key) ?? []), run.map(({ at }) => at)]);
    }
  }
  return new Set([...windows.values()].filter((runs) => runs.length > 1).flat(2)).size;
}

function comments(files) {
  return files.flatMap(({ path, text }) => parseSync(path, text).comments.map(({ value }) => value));
}

function isClause(comment) {
  return /^[\s*]*(Who|What|Of|Whoever|Those who)\b/.test(comment);
}

function spread(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return `${at(0.5)} · ${at(0.9)} · ${sorted.at(-1)}`;
}

function round(value) {
  return Math.round(value * 100) / 100;
}
