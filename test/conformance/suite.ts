import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

/**
 * The requirement sets: the requirements of one MCP revision, checked over the transport of that
 * revision.
 */
export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

/** The result of a scenario for one requirement. */
export interface Check {
  readonly id: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO';
  readonly errorMessage?: string;
}

/** `INFO` marks a check that was not made or has no requirement. */
export function isMet({ status }: Check): boolean {
  return status === 'SUCCESS' || status === 'INFO';
}

interface RequirementSet {
  readonly server: readonly string[];
  readonly not_scored: readonly {
    readonly scenario: string;
    readonly leg: 'server' | 'client';
    readonly reason: 'extension' | 'added-after-release' | 'pending';
  }[];
}

const require = createRequire(import.meta.url);
const SUITE = dirname(require.resolve('@modelcontextprotocol/conformance/package.json'));

/** Milliseconds. Limits for one scenario and for the suite, far above their usual times. */
const SCENARIO_LIMIT = 30_000;
const SUITE_LIMIT = 400_000;

/**
 * The server scenarios of a set: the required ones, and the informational ones that were added late
 * or that the suite's own server fails. Extensions are not part of MCP.
 */
export function scenariosOf(revision: Revision): string[] {
  const file = join(SUITE, 'requirements', `${revision}.yaml`);
  const set: RequirementSet = parse(readFileSync(file, 'utf8'));
  const late = set.not_scored.filter(
    ({ leg, reason }) => leg === 'server' && reason !== 'extension',
  );
  return [...set.server, ...late.map(({ scenario }) => scenario)];
}

/**
 * Runs all server scenarios of a revision against the server at `url`.
 *
 * @returns The checks by scenario. A scenario that did not finish has none.
 */
export async function runSuite(url: string, revision: Revision): Promise<Map<string, Check[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-mcp-conformance-'));
  try {
    const limit = ['--timeout', String(SCENARIO_LIMIT)];
    const args = ['server', '--url', url, '--requirements', revision, '-o', folder, ...limit];
    // Its exit code is about the whole set, so it is ignored.
    const suite = spawn(process.execPath, [join(SUITE, 'dist/index.js'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: SUITE_LIMIT,
    });
    let complaint = '';
    suite.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    await once(suite, 'close');
    const results = await readResults(folder);
    if (results.size === 0) throw new Error(`The conformance suite gave no results: ${complaint}`);
    return results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readResults(folder: string): Promise<Map<string, Check[]>> {
  const results = new Map<string, Check[]>();
  for (const path of await readdir(folder, { recursive: true })) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT.+checks\.json$/.exec(path)?.[1];
    if (scenario) results.set(scenario, JSON.parse(await readFile(join(folder, path), 'utf8')));
  }
  return results;
}
