import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AgentCoreError } from '../src/base/errors.ts';
import type { LocalConfig } from '../src/local/config/schema.ts';
import type { Children } from './children.ts';
import { within } from './deadline.ts';

/** The command line, one of whose verbs is the local runtime. */
export const cliProgram = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

const startLimitMs = 30_000;
const stderrKept = 2000;

/** What one round calls: a local AgentCore of its own, all its microVMs ready. */
export interface LocalRuntime {
  readonly arn: string;
  /** The address of all services. */
  readonly endpoint: string;
  /** The invocations URL. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  close(): Promise<void>;
}

/**
 * No container starts or ends while something is measured: all that a round may need wait from the
 * beginning (`warm`), no more are allowed, which keeps the pool from being filled up again, and
 * those of stopped sessions stay until the round is over.
 */
export function writeLocalConfig(file: string, container: string, microVms: number): void {
  const config: LocalConfig = {
    runtimes: {
      bench: {
        command: [process.execPath, container],
        protocol: 'MCP',
        sessions: 'stateless',
        warm: microVms,
      },
    },
    switches: { maxVms: microVms, containerOutlivesStop: true },
  };
  writeFileSync(file, JSON.stringify(config));
}

/** A line of `local --json`, as far as it matters here. */
type Line =
  | Ready
  | { readonly event: 'container-failed'; readonly reason: string; readonly output: string }
  | { readonly event: 'container-started' | 'container-exited' | 'session' | 'fault' };

interface Ready {
  readonly event: 'ready';
  readonly runtimes: readonly [{ readonly arn: string }];
  readonly env: {
    readonly AWS_ENDPOINT_URL: string;
    readonly AWS_REGION: string;
    readonly AWS_ACCESS_KEY_ID: string;
    readonly AWS_SECRET_ACCESS_KEY: string;
  };
}

/** Resolves when every microVM is ready. */
export async function startLocalRuntime(
  children: Children,
  configFile: string,
  env: NodeJS.ProcessEnv,
): Promise<LocalRuntime> {
  const args = [cliProgram, 'local', '--config', configFile, '--port', '0', '--json'];
  const child = children.spawn({ file: process.execPath, args }, env);
  const close = () => children.terminate(child);
  try {
    const ready = readyLine(child);
    const said = await within(startLimitMs, 'Starting the local runtime', ready);
    const [{ arn }] = said.runtimes;
    const endpoint = said.env.AWS_ENDPOINT_URL;
    return {
      arn,
      endpoint,
      url: `${endpoint}/runtimes/${encodeURIComponent(arn)}/invocations`,
      region: said.env.AWS_REGION,
      accessKeyId: said.env.AWS_ACCESS_KEY_ID,
      secretAccessKey: said.env.AWS_SECRET_ACCESS_KEY,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Goes on reading both outputs, which would block the local runtime once they are full. */
function readyLine(child: ChildProcess): Promise<Ready> {
  const { stdout, stderr } = child;
  return new Promise((resolve, reject) => {
    let words = '';
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-stderrKept);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const reason = `The local runtime ended with ${signal ?? `code ${code}`}: ${words.trim()}`;
      reject(new AgentCoreError('connection', reason));
    });
    if (!stdout) return;
    createInterface({ input: stdout }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      if (line.event === 'ready') resolve(line);
      if (line.event === 'container-failed') {
        const reason = `A container of the local runtime ${line.reason}: ${line.output}`;
        reject(new AgentCoreError('upstream', reason));
      }
    });
  });
}
