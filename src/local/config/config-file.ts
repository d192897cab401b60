import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, LineCounter, type Node, parseDocument } from 'yaml';
import { AgentCoreError } from '../../base/errors.ts';
import {
  type GatewayConfig,
  localConfigSchema,
  type ResolvedConfig,
  resolveParsed,
  type TargetConfig,
} from './schema.ts';

/**
 * Parses a configuration file in YAML or JSON. A relative `cwd` is resolved against the directory
 * of the file.
 *
 * @param file The path of the file, for its directory and for errors.
 * @throws {AgentCoreError} `config`, with one line for each mistake: `FILE:LINE:COLUMN: FIELD:
 *   MESSAGE`.
 */
export function parseConfig(text: string, file: string): ResolvedConfig {
  const folder = dirname(resolve(file));
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw new AgentCoreError(
      'config',
      document.errors
        .map(
          (error) =>
            `${at(error.pos[0])}: ${error.message.split('\n')[0]?.replace(/ at line.*/, '')}`,
        )
        .join('\n'),
    );
  }
  const parsed = localConfigSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) {
    const config = resolveParsed(parsed.data);
    const runtimes = config.runtimes.map((runtime) => ({
      ...runtime,
      cwd: resolve(folder, runtime.cwd ?? '.'),
    }));
    const gateways = config.gateways.map((gateway) => ({
      ...gateway,
      targets: gateway.targets.map((target) => withFolder(target, folder)),
    }));
    const folders = [
      ...runtimes.map(({ name, cwd }) => ({ path: ['runtimes', name, 'cwd'], cwd })),
      ...gateways.flatMap(getWorkingFolders),
    ];
    const missing = folders.filter(({ cwd }) => !isFolder(cwd));
    if (missing.length === 0) return { ...config, runtimes, gateways };
    const sentences = missing.map(
      ({ path, cwd }) =>
        `${at(getOffset(document, path))}: ${formatPath(path)}no such folder: ${cwd}`,
    );
    throw new AgentCoreError('config', sentences.join('\n'));
  }
  const mistakes = parsed.error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') {
      return [`${at(getOffset(document, issue.path))}: ${formatPath(issue.path)}${issue.message}`];
    }
    return issue.keys.map(
      (key) =>
        `${at(getOffset(document, issue.path, key))}: ${formatPath([...issue.path, key])}unknown setting`,
    );
  });
  throw new AgentCoreError('config', mistakes.join('\n'));
}

function withFolder(target: TargetConfig, folder: string): TargetConfig {
  const { server } = target;
  if (typeof server === 'string') return target;
  return { ...target, server: { ...server, cwd: resolve(folder, server.cwd ?? '.') } };
}

/** The working directories of servers that belong to a gateway only. */
function getWorkingFolders({
  name,
  targets,
}: GatewayConfig): { readonly path: Path; readonly cwd: string }[] {
  return targets.flatMap((target) => {
    if (typeof target.server === 'string') return [];
    const path = ['gateways', name, 'targets', target.name, 'cwd'];
    return [{ path, cwd: target.server.cwd ?? '.' }];
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

type Path = readonly PropertyKey[];

/** The offset of a field. If the field is missing, that of its innermost existing parent. */
function getOffset(document: ReturnType<typeof parseDocument>, path: Path, key?: string): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as Node | undefined)?.range;
    if (!range) continue;
    if (key !== undefined && isMap(node)) {
      const pair = node.items.find(({ key: name }) => String(name) === key);
      return (pair?.key as Node | undefined)?.range?.[0] ?? range[0];
    }
    return range[0];
  }
  return 0;
}

function formatPath(path: Path): string {
  return path.length === 0 ? '' : `${path.map(String).join('.')}: `;
}
