import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { ProxyProcess, RUNTIME_ARN } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { startUpstream } from '../fixtures/scripted-upstream.ts';

/** Runs the command line. Its lines are parsed as JSON-RPC, so other output is in `noise`. */
function agentcoreMcp(args: string[], env: Record<string, string> = {}): ProxyProcess {
  const process = new ProxyProcess(env, ['dist/cli.js', ...args]);
  return endWithTest(process, () => process.kill());
}

describe('agentcore-mcp', () => {
  it('prints its version', async () => {
    const cli = agentcoreMcp(['--version']);
    expect((await cli.exited).code).toBe(0);
    expect(cli.noise).toEqual([packageJson.version]);
  });

  it('lists the available commands', async () => {
    const cli = agentcoreMcp(['--help']);
    expect((await cli.exited).code).toBe(0);
    const verbs = cli.noise.flatMap((line) => /^ {2}([a-z]+) /.exec(line)?.[1] ?? []);
    expect(verbs).toEqual([
      'proxy',
      'bridge',
      'local',
      'smoke',
      'login',
      'logout',
      'accounts',
      'whoami',
      'runtimes',
      'iam',
      'sessions',
      'log',
      'policy',
      'audit',
      'help',
    ]);
  });

  it.each([
    [],
    ['proxy'],
    ['bridge'],
    ['smoke'],
    ['runtimes'],
    ['sessions'],
    ['sessions', 'stop'],
    ['log'],
    ['policy'],
    ['audit', 'find'],
    ['audit', 'verify'],
  ])('prints help within 80 columns: %j %j', async (...verb) => {
    const cli = agentcoreMcp([...verb, '--help']);
    expect((await cli.exited).code).toBe(0);
    expect(cli.noise.filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    [[], /Usage/],
    [['fly'], /unknown command/],
    [['sessions', 'lsit'], /unknown command 'lsit'\nTry: agentcore-mcp sessions --help/],
    [['proxy', '--fast'], /unknown option.*\nTry: agentcore-mcp proxy --help/],
    [['policy', 'test'], /missing required argument.*\nTry: agentcore-mcp policy test --help/],
    [['local', '--port', 'x'], /whole number/],
    [['smoke', '--protocol', '2025-06-18'], /Omit it for revisions up to 2025-11-25/],
    [['policy', 'init', '--runtime', 'nope'], /^agentcore-mcp: Not the ARN/],
    [['policy', 'check', '/no/such.yaml'], /no\/such\.yaml: there is no such file/],
    [['local', '--config', '/no/such/file.yaml'], /no\/such\/file\.yaml/],
  ])('exits with code 2 if it is called with %j', async (args, sentence) => {
    const cli = agentcoreMcp(args);
    expect((await cli.exited).code).toBe(2);
    expect(cli.stderr).toMatch(sentence);
  });

  it('proxy runs the proxy', async () => {
    const upstream = await startUpstream();
    const cli = agentcoreMcp(['proxy'], {
      AGENTCORE_AGENT_ARN: RUNTIME_ARN,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL: upstream.url,
    });
    expect((await cli.initialize()).result.serverInfo.name).toBe('scripted');
    expect(await cli.close()).toEqual({ code: 0, signal: null });
  });
});
