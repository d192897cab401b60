import { describe, expect, it } from 'vitest';
import { ScriptedModel } from '../../examples/agent/scripted-model.ts';
import { runtimeEnv } from '../fixtures/proxied-runtime.ts';
import { ProxyProcess } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { fixture, start } from '../local/harness.ts';

const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];

/** Runs the sample agent against a server and returns the lines of its transcript. */
async function transcriptOf(server: string) {
  const local = await start({
    server: { command: [...NODE, fixture(server)], sessions: 'stateful' },
  });
  const agent = new ProxyProcess(runtimeEnv(local), [
    '--disable-warning=ExperimentalWarning',
    'examples/agent/main.ts',
    'My task',
  ]);
  endWithTest(agent, () => agent.kill());
  const { code } = await agent.exited;
  return { local, code, lines: agent.noise, stderr: agent.stderr };
}

describe('the sample agent', () => {
  it('answers the server’s questions with its model', async () => {
    const { code, lines, stderr } = await transcriptOf('../../fixtures/interactive-server.ts');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const said = 'Once upon a time, somebody asked "Who?", and all was';
    expect(lines.slice(0, 7)).toEqual([
      'task     My task',
      'tools    interview',
      'call     interview {}',
      'asked    Who?',
      `said     ${said}`,
      'declined Your name?',
      `result   ${said}`,
    ]);
    expect(lines.find((line) => line.startsWith('answer'))).toBe(`answer   My task: ${said}`);
  });

  it('passes the result of one tool to another tool, and leaves no session', async () => {
    const { local, code, lines } = await transcriptOf(
      '../../../examples/runtimes/stateful/server.ts',
    );
    expect(code).toBe(0);
    const [weather] = lines.flatMap((line) => /^result {3}(Lisbon: .*)/.exec(line)?.[1] ?? []);
    expect(lines).toContain(`call     remember {"note":"${weather}"}`);
    expect(lines).toContain(`result   Notes of this session: ${weather}`);
    await local.until(
      () => local.sessions().every(({ state }) => state === 'Stopped'),
      'the end of all sessions',
    );
  });

  it('exits with code 1 and an error message if no runtime is set', async () => {
    const agent = new ProxyProcess({}, [
      '--disable-warning=ExperimentalWarning',
      'examples/agent/main.ts',
    ]);
    endWithTest(agent, () => agent.kill());
    expect((await agent.exited).code).toBe(1);
    expect(agent.stderr).toContain('AGENTCORE_AGENT_ARN is not set');
    expect(agent.stderr).toContain('The task was not done');
  });
});

describe('the scripted model', () => {
  it('makes the same decision for the same input, and calls only tools that the server offers', async () => {
    const model = new ScriptedModel();
    const tools = [{ name: 'tell_story', inputSchema: { required: ['about'] } }];
    const first = { call: 'tell_story', args: { about: 'Lisbon' } };
    expect(await model.decide('task', tools, [])).toEqual(first);
    expect(await model.decide('task', tools, [])).toEqual(first);
    const seen = [{ tool: 'tell_story', result: 'The end' }];
    expect(await model.decide('task', tools, seen)).toEqual({ answer: 'task: The end' });
    expect(await model.decide('task', [], [])).toHaveProperty('answer');
  });
});
