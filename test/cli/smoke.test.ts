import { describe, expect, it } from 'vitest';
import type { RuntimeInput } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { ProxyProcess } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { fixture, start, statelessMcp } from '../local/harness.ts';

const INTERVIEW = ['--sample', 'interview', '--elicit', 'interview', '--progress', 'interview'];
const NEWER_ONLY = '../examples/runtimes/stateless-2026/server.ts';
const NOTHING_STARTED = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/none-abcdefghij';

/** A server of the official SDK, run directly by Node. */
function server(file: string, sessions: 'stateful' | 'stateless'): RuntimeInput {
  const path = fixture(`../../${file}`);
  return { command: [process.execPath, '--disable-warning=ExperimentalWarning', path], sessions };
}

const interactive = () => server('fixtures/interactive-server.ts', 'stateful');

/** Runs the command. Lines that are not JSON are in `noise`. */
function smoke(args: readonly string[], env: Record<string, string> = {}): ProxyProcess {
  const process = new ProxyProcess(env, ['dist/cli.js', 'smoke', ...args]);
  return endWithTest(process, () => process.kill());
}

interface Outcome {
  readonly code: number | null;
  /** `ok`, `failed` or `skipped`, by step. */
  readonly statuses: Record<string, string>;
  readonly details: Record<string, string>;
}

async function smokeOf(
  local: LocalRuntime,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const { arn } = local.runtime('server');
  const run = smoke(['--json', '--runtime', arn, ...args], { ...local.env, ...env });
  const { code } = await run.exited;
  const lines = run.lines.slice(0, -1);
  expect(run.lines.at(-1)).toMatchObject({ exitCode: code });
  return {
    code,
    statuses: Object.fromEntries(lines.map(({ step, status }) => [step, status])),
    details: Object.fromEntries(lines.map(({ step, detail }) => [step, detail])),
  };
}

const isStopped = ({ state }: { state: string }) => state === 'Stopped';

describe('agentcore-mcp smoke', () => {
  it('runs all steps and exits with code 0', async () => {
    const local = await start({ server: interactive() });
    const args = ['--tool', 'interview', ...INTERVIEW];
    const { code, statuses, details } = await smokeOf(local, args);
    expect(statuses).toEqual({
      initialize: 'ok',
      list: 'ok',
      call: 'ok',
      sample: 'ok',
      elicit: 'ok',
      progress: 'ok',
      stop: 'ok',
    });
    expect(code).toBe(0);
    expect(details.initialize).toMatch(/^interactive 1, MCP 2025-/);
    expect(details.list).toBe('1 tool: interview');
    expect(details.progress).toContain('(3)');
    expect(local.sessions().map(isStopped)).toEqual([true]);
  });

  it('prints a line for each step, and reads the runtime from the environment', async () => {
    const local = await start({ server: interactive() });
    const { arn } = local.runtime('server');
    const run = smoke(['--sample', 'interview'], { ...local.env, AGENTCORE_AGENT_ARN: arn });
    expect((await run.exited).code).toBe(0);
    const steps = run.noise.map((line) => line.split(/\s+/).slice(0, 2).join(' '));
    expect(steps).toEqual([
      'ok initialize',
      'ok list',
      'skipped call',
      'ok sample',
      'skipped elicit',
      'skipped progress',
      'ok stop',
    ]);
    expect(run.stderr).toBe('');
  });

  it('selects a read-only tool and one that reports progress by itself', async () => {
    const local = await start({
      server: server('../examples/runtimes/stateful/server.ts', 'stateful'),
    });
    const { code, details, statuses } = await smokeOf(local, []);
    expect(statuses).toMatchObject({ call: 'ok', progress: 'ok' });
    expect(details.call).toMatch(/^whoami: Session/);
    expect(details.progress).toMatch(/^count_down reports progress/);
    expect(code).toBe(0);
  });

  it('calls a tool with the given arguments', async () => {
    const local = await start({
      server: server('../examples/runtimes/stateful/server.ts', 'stateful'),
    });
    const { details } = await smokeOf(local, [
      ...['--tool', 'get_weather', '--args', '{"city":"Lisbon"}'],
      ...['--progress', 'count_down={"from":2,"interval":0}'],
    ]);
    expect(details.call).toMatch(/^get_weather: Lisbon/);
    expect(details.progress).toContain('(2)');
  });

  it('tests a server of 2026-07-28', async () => {
    const local = await start({ server: server('fixtures/modern-server.ts', 'stateless') });
    const args = ['--protocol', '2026-07-28', '--tool', 'greet'];
    const { code, details } = await smokeOf(local, args);
    expect(details.initialize).toBe('modern 1, MCP 2026-07-28');
    expect(details.call).toBe('greet: Hello smoke in smoke');
    expect(code).toBe(0);
    expect(local.sessions().every(isStopped)).toBe(true);
  });

  it('reports that mode identity leaves the session running', async () => {
    const local = await start({ server: statelessMcp() });
    const env = { RUNTIME_SESSION_MODE: 'identity' };
    const { details } = await smokeOf(local, [], env);
    expect(details.stop).toContain('continues');
    expect(local.sessions().map(isStopped)).toEqual([false]);
  });
});

describe('agentcore-mcp smoke, if a step fails', () => {
  it('exits with code 10 for initialize, prints the reason, and skips all other steps', async () => {
    const local = await start({ server: { command: [process.execPath, '--eval', '0'] } });
    const { code, statuses, details } = await smokeOf(local, INTERVIEW);
    expect(code).toBe(10);
    expect(statuses).toMatchObject({ initialize: 'failed', list: 'skipped', call: 'skipped' });
    expect(details.initialize).toMatch(/Tool execution error/);
  });

  it('names the option for a server that only supports a newer MCP version', async () => {
    const local = await start({ server: server(NEWER_ONLY, 'stateless') });
    const { code, details } = await smokeOf(local, []);
    expect(code).toBe(10);
    expect(details.initialize).toMatch(/Unsupported protocol version.*--protocol 2026-07-28/);
  });

  it('reports why a server does not support the requested version', async () => {
    const local = await start({ server: interactive() });
    const { code, details } = await smokeOf(local, ['--protocol', '2026-07-28']);
    expect(code).toBe(10);
    expect(details.initialize).not.toMatch(/^The proxy ended/);
    expect(details.initialize).toContain('2026-07-28');
  });

  it('exits with code 11 for a list', async () => {
    const local = await start({ server: interactive() });
    local.faults.inject({ kind: 'json-rpc-error', code: -32603, method: 'tools/list' });
    const { code, statuses } = await smokeOf(local, INTERVIEW);
    expect(code).toBe(11);
    expect(statuses).toMatchObject({ list: 'failed', call: 'skipped', stop: 'ok' });
  });

  it('exits with code 12 for a call', async () => {
    const local = await start({ server: interactive() });
    local.faults.inject({ kind: 'platform-error', error: 'access-denied', method: 'tools/call' });
    const args = ['--tool', 'interview', ...INTERVIEW];
    const { code, statuses } = await smokeOf(local, args);
    expect(code).toBe(12);
    expect(statuses).toMatchObject({ call: 'failed', sample: 'ok', stop: 'ok' });
  });

  it.each([
    ['sample', 13],
    ['elicit', 14],
    ['progress', 15],
  ])('%s exits with code %i if a tool does nothing of it', async (step, exitCode) => {
    const local = await start({
      server: server('../examples/runtimes/stateful/server.ts', 'stateful'),
    });
    const { code, statuses, details } = await smokeOf(local, [`--${step}`, 'whoami']);
    expect(code).toBe(exitCode);
    expect(statuses[step]).toBe('failed');
    expect(details[step]).toMatch(/^whoami answered, but nothing/);
  });

  it.each([
    ['sample', 13],
    ['elicit', 14],
    ['progress', 15],
  ])('%s exits with code %i if its call fails', async (step, exitCode) => {
    const local = await start({ server: interactive() });
    local.faults.inject({ kind: 'cut', method: 'tools/call' });
    expect((await smokeOf(local, [`--${step}`, 'interview'])).code).toBe(exitCode);
  });

  it('exits with code 16 if the session could not be stopped', async () => {
    const local = await start({ server: interactive() });
    local.faults.inject({ kind: 'status', status: 403, operation: 'stop', times: 'always' });
    const { code, statuses, details } = await smokeOf(local, [], { LOG_LEVEL: 'error' });
    expect(code).toBe(16);
    expect(statuses).toMatchObject({ initialize: 'ok', list: 'ok', stop: 'failed' });
    expect(details.stop).toMatch(/^Could not stop session/);
  });

  it('exits with the code of the first of several failed steps, and prints the proxy’s output', async () => {
    const local = await start({ server: interactive() });
    local.faults.inject({ kind: 'status', status: 403, operation: 'stop', times: 'always' });
    const { arn } = local.runtime('server');
    const run = smoke(['--runtime', arn, '--tool', 'no_such_tool'], local.env);
    expect((await run.exited).code).toBe(12);
    expect(run.noise.at(-1)).toBe('Failed: call, stop (exit code 12)');
    expect(run.stderr).toContain('Could not stop session');
  });

  it('waits no longer than the given time', async () => {
    const local = await start({ server: interactive() });
    local.faults.inject({ kind: 'silence', method: 'tools/call' });
    // On a busy machine, the handshake takes seconds too.
    const args = ['--timeout', '12', '--tool', 'interview'];
    const { code, details } = await smokeOf(local, args);
    expect(code).toBe(12);
    expect(details.call).toMatch(/timed out|No answer within/);
  });

  it.each([
    [[], /AGENTCORE_AGENT_ARN is not set/],
    [['--runtime', 'arn:aws:s3:::bucket'], /Not the ARN of an AgentCore runtime/],
    [['--runtime', NOTHING_STARTED, '--args', '{}'], /name it with --tool/],
    [['--runtime', NOTHING_STARTED, '--tool', 'a', '--args', '[]'], /not a JSON object/],
    [['--runtime', NOTHING_STARTED, '--sample', 'a={'], /not JSON/],
    [['--runtime', NOTHING_STARTED, '--timeout', 'soon'], /number of seconds/],
  ])('exits with code 2 if it is called with %j', async (args, reason) => {
    const run = smoke(args);
    expect((await run.exited).code).toBe(2);
    expect(run.stderr).toMatch(reason);
    expect(run.noise).toEqual([]);
  });
});
