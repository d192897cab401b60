import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AgentCoreError } from '../../../src/base/errors.ts';

/** One command of the installation. */
export interface Step {
  /** An imperative sentence without a full stop: "Install Chromium". */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly maxMinutes: number;
}

const keptOutput = 16_384;

/**
 * Runs a step in its own process group, so that all its processes end on a timeout or when this
 * process is stopped.
 *
 * @throws AgentCoreError `upstream` or `timeout`, with the last 16 kB of the step's output.
 */
export async function runStep(step: Step): Promise<void> {
  const { title, command, args, cwd, env = process.env, maxMinutes } = step;
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-keptOutput);
    });
  }
  let late = false;
  const kill = () => killGroup(child.pid);
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, maxMinutes * 60_000);
  process.once('exit', kill);
  try {
    const [code, signal] = await once(child, 'close');
    if (late) throw failure('timeout', `${title}: not done after ${maxMinutes} minutes`, output);
    if (code !== 0) throw failure('upstream', `${title}: ended with ${code ?? signal}`, output);
  } finally {
    clearTimeout(timer);
    process.removeListener('exit', kill);
  }
}

function failure(code: 'timeout' | 'upstream', sentence: string, output: string): AgentCoreError {
  return new AgentCoreError(code, `${sentence}. Its last output:\n${output.trimEnd()}`);
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The whole process group has exited.
  }
}
