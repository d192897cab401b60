import { parseArgs } from 'node:util';
import { AgentCoreError, getErrorMessage } from '../src/base/errors.ts';

export interface CommandLine {
  readonly help: boolean;
  readonly json: boolean;
  readonly quick: boolean;
  /** A command to measure in place of dist/proxy.js; the bars apply to it. */
  readonly ours: string | undefined;
  /** Commands to measure beside ours. No bar applies to them. */
  readonly beside: readonly string[];
}

export const usage = `Usage: npm run bench -- [--quick] [--json] [--ours COMMAND] [--beside COMMAND]... [COMMAND]...

Compares the proxy with the reference relay. Both call the same local runtime.

  --quick           two short rounds, for a first look
  --json            one JSON document on stdout
  --ours COMMAND    measure this in place of dist/proxy.js (to compare two builds)
  --beside COMMAND  measure this too; so is every further argument

A command runs in the shell. {url} in it becomes the invocations URL; AGENTCORE_AGENT_ARN,
AWS_REGION, AWS_ENDPOINT_URL and made-up credentials are in its environment.
Exit code: 0 every bar held, 1 a bar was missed, 2 bad usage.`;

/** Throws AgentCoreError `usage` for what it does not know. */
export function readCommandLine(args: readonly string[]): CommandLine {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        ours: { type: 'string' },
        beside: { type: 'string', multiple: true, default: [] },
      },
    });
    return {
      help: values.help,
      json: values.json,
      quick: values.quick,
      ours: values.ours,
      beside: [...values.beside, ...positionals],
    };
  } catch (error) {
    throw new AgentCoreError('usage', getErrorMessage(error), { cause: error });
  }
}
