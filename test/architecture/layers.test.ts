import { dirname } from 'node:path/posix';
import { expect, it } from 'vitest';
import { getTopFolder, readSourceTree } from './source-tree.ts';

/** The folders that each folder of `src` may import: docs/architecture.md. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  mcp: ['base'],
  http: ['base'],
  redaction: ['base'],
  relay: ['mcp', 'base'],
  aws: ['http', 'base'],
  state: ['redaction', 'mcp', 'base'],
  transports: ['relay', 'mcp', 'base'],
  recovery: ['relay', 'mcp', 'base'],
  sessions: ['state', 'aws', 'http', 'base'],
  telemetry: ['state', 'relay', 'mcp', 'base'],
  policy: ['sessions', 'state', 'relay', 'redaction', 'mcp', 'base'],
  upstream: [
    ...['sessions', 'recovery', 'transports', 'state', 'relay', 'aws'],
    ...['http', 'mcp', 'base'],
  ],
  programs: [
    ...['policy', 'upstream', 'telemetry', 'sessions', 'recovery', 'transports', 'state'],
    ...['relay', 'aws', 'redaction', 'http', 'mcp', 'base'],
  ],
  client: [
    ...['programs', 'policy', 'upstream', 'telemetry', 'sessions', 'recovery', 'transports'],
    ...['state', 'relay', 'aws', 'redaction', 'http', 'mcp', 'base'],
  ],
  cli: [
    ...['local', 'client', 'programs', 'policy', 'upstream', 'telemetry', 'sessions', 'recovery'],
    ...['transports', 'state', 'relay', 'aws', 'redaction', 'http', 'mcp', 'base'],
  ],
  extension: [
    ...['client', 'programs', 'policy', 'upstream', 'telemetry', 'sessions', 'recovery'],
    ...['transports', 'state', 'relay', 'aws', 'redaction', 'http', 'mcp', 'base'],
  ],
  // It must be able to prove the proxy wrong, so it shares no code but the class of errors.
  local: ['base/errors.ts'],
};

/** The folders inside a folder, in levels. A file imports from its own level and those before. */
const LEVELS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  aws: [['aws'], ['aws/iam', 'aws/sso'], ['aws/credentials'], ['aws/auth', 'aws/discovery']],
  state: [['state/journal'], ['state/audit'], ['state'], ['state/files']],
  policy: [
    ['policy/documents'],
    ['policy/engine'],
    ['policy/approvals', 'policy/redaction', 'policy/authoring'],
    ['policy'],
  ],
  extension: [
    ['extension/settings'],
    ['extension/models'],
    ['extension/servers'],
    ['extension/ui'],
    ['extension/views'],
    ['extension/setup'],
    ['extension/commands'],
    ['extension'],
  ],
  local: [
    ['local/config'],
    ['local/core'],
    ['local/http'],
    ['local/identity'],
    ['local/containers'],
    ['local/sessions'],
    ['local/invocations'],
    ['local/services', 'local/services/sso'],
    ['local'],
  ],
};

const files = readSourceTree();
const edges = files.flatMap(({ path, imports }) => imports.map((to) => ({ path, to })));

it('imports only from lower layers', () => {
  const wrong = edges.filter(({ path, to }) => {
    const allowed = LAYERS[getTopFolder(path)] ?? [];
    return (
      getTopFolder(path) !== getTopFolder(to) &&
      !allowed.includes(getTopFolder(to)) &&
      !allowed.includes(to)
    );
  });
  expect(wrong).toEqual([]);
});

it('imports only from lower levels inside a folder', () => {
  const wrong = edges.filter(({ path, to }) => {
    const levels = LEVELS[getTopFolder(path)];
    if (!levels || getTopFolder(path) !== getTopFolder(to)) return false;
    const find = (file: string) => levels.findIndex((level) => level.includes(dirname(file)));
    return find(path) < find(to) || find(path) === -1;
  });
  expect(wrong).toEqual([]);
});

it('has no two folders that import each other', () => {
  const examples = new Map<string, string>();
  for (const { path, to } of edges) {
    examples.set(`${dirname(path)} → ${dirname(to)}`, `${path} imports ${to}`);
  }
  const mutual = edges.filter(
    ({ path, to }) =>
      dirname(path) !== dirname(to) && examples.has(`${dirname(to)} → ${dirname(path)}`),
  );
  expect(mutual).toEqual([]);
});

it('has no circle of files', () => {
  const graph = new Map(files.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path) || trail.includes(path)) return;
    for (const to of graph.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  expect(circles).toEqual([]);
});

it('names every folder in the layers', () => {
  const folders = new Set(files.map(({ path }) => getTopFolder(path)));
  expect([...folders].sort()).toEqual(Object.keys(LAYERS).sort());
});
