import type { Environment } from '../base/environment.ts';
import { AgentCoreError } from '../base/errors.ts';
import { escapeControls, escapeLines } from '../base/logger.ts';
import { STEP_TIMEOUT_MS } from '../client/proxy-client.ts';
import {
  type NamedTool,
  SmokeTest,
  type StepName,
  type StepOutcome,
} from '../client/smoke-test.ts';
import { readProxySettings } from '../programs/proxy-settings.ts';

// The verb `smoke`: its options, exit codes and output.

export interface SmokeOptions {
  /** ARN of the runtime. Default: `AGENTCORE_AGENT_ARN`. */
  readonly runtime?: string | undefined;
  readonly tool?: string | undefined;
  /** Arguments of `tool`, as a JSON object. */
  readonly args?: string | undefined;
  /** Tool for sampling, as `NAME` or `NAME=JSON` with its arguments. */
  readonly sample?: string | undefined;
  /** Tool for elicitation, in the same form. */
  readonly elicit?: string | undefined;
  /** Tool for progress, in the same form. */
  readonly progress?: string | undefined;
  /** Required MCP revision, from 2026-07-28 on. */
  readonly protocol?: string | undefined;
  /** Timeout of each step in seconds. Default: 60. */
  readonly timeout?: number | undefined;
  readonly json?: boolean | undefined;
}

/** Exit codes by failed step. If several steps fail, the first one counts. */
const EXIT_CODES: Readonly<Record<StepName, number>> = {
  initialize: 10,
  list: 11,
  call: 12,
  sample: 13,
  elicit: 14,
  progress: 15,
  stop: 16,
};

/** Maximum lines of the proxy's stderr to print after a failure. */
const MAX_LINES = 10;

/** Log levels at which the proxy prints warnings. */
const VERBOSE_LEVELS = /^(debug|info|notice|warn|warning)$/i;

/**
 * Runs the verb `smoke`: each step of a client against a runtime, through the proxy. Prints one
 * line for each step.
 *
 * @returns the exit code: 0, or the code of the first failed step.
 * @throws {AgentCoreError} `usage`, before the proxy starts.
 */
export async function runSmoke(
  options: SmokeOptions,
  env: Environment,
  streams: { readonly stdout: NodeJS.WritableStream; readonly stderr: NodeJS.WritableStream },
): Promise<number> {
  const proxyEnv = createSmokeEnvironment(options, env);
  const { mode } = readProxySettings(proxyEnv);
  const { tool, args, sample, elicit, progress } = options;
  if (args !== undefined && tool === undefined) {
    throw new AgentCoreError('usage', '--args are the arguments of a tool: name it with --tool');
  }
  const test = new SmokeTest({
    env: proxyEnv,
    protocol: options.protocol,
    timeout: options.timeout === undefined ? STEP_TIMEOUT_MS : options.timeout * 1000,
    call: tool === undefined ? undefined : { name: tool, args: readArguments('--args', args) },
    show: {
      sample: readNamedTool('--sample', sample),
      elicit: readNamedTool('--elicit', elicit),
      progress: readNamedTool('--progress', progress),
    },
    leavesSession: mode === 'identity',
  });
  const failed: StepName[] = [];
  for await (const outcome of test.steps()) {
    if (outcome.status === 'failed') failed.push(outcome.step);
    streams.stdout.write(
      `${options.json ? JSON.stringify(outcome) : escapeLines(formatStepOutcome(outcome))}\n`,
    );
  }
  const code = failed[0] ? EXIT_CODES[failed[0]] : 0;
  if (options.json) {
    streams.stdout.write(`${JSON.stringify({ failed, exitCode: code })}\n`);
  } else if (code > 0) {
    streams.stdout.write(`Failed: ${failed.join(', ')} (exit code ${code})\n`);
  }
  if (code > 0)
    for (const line of getLastLines(test.stderr)) streams.stderr.write(`${escapeControls(line)}\n`);
  return code;
}

function createSmokeEnvironment({ runtime }: SmokeOptions, env: Environment): NodeJS.ProcessEnv {
  return {
    ...env,
    ...(runtime !== undefined && { AGENTCORE_AGENT_ARN: runtime }),
    // Warnings must be visible, for example if a session could not be stopped.
    LOG_LEVEL: VERBOSE_LEVELS.test(env.LOG_LEVEL ?? '') ? env.LOG_LEVEL : 'warning',
  };
}

function readNamedTool(option: string, text: string | undefined): NamedTool | undefined {
  if (text === undefined) return undefined;
  const [name = '', ...json] = text.split('=');
  if (name === '') throw new AgentCoreError('usage', `${option} names no tool: "${text}"`);
  return { name, args: readArguments(option, json.length > 0 ? json.join('=') : undefined) };
}

function readArguments(
  option: string,
  text: string | undefined,
): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AgentCoreError('usage', `${option} is not JSON: ${text}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new AgentCoreError('usage', `${option} is not a JSON object: ${text}`);
}

function formatStepOutcome({ step, status, detail, milliseconds }: StepOutcome): string {
  const time = status === 'skipped' ? '' : ` (${milliseconds} ms)`;
  return `${status.padEnd(7)}  ${step.padEnd(10)}  ${detail}${time}`;
}

function getLastLines(text: string): string[] {
  return text.split('\n').filter(Boolean).slice(-MAX_LINES);
}
