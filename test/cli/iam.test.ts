import { describe, expect, it } from 'vitest';
import { runCli } from '../fixtures/cli-process.ts';

const RUNTIME = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/server-k5qkx7arw0';
const GATEWAY = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/tools-abcdefghij';
const ROLE = 'arn:aws:iam::123456789012:role/Reader';

const iam = (...args: string[]) => runCli(['iam', ...args], {});

describe('agentcore-mcp iam', () => {
  it('prints the policy for a caller of a runtime, ready to copy', async () => {
    const { code, stdout, stderr } = await iam('--runtime', RUNTIME, '--qualifier', 'prod');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [heading, ...json] = stdout.split('\n');
    expect(heading).toBe('Policy of the caller (your user or role):');
    const both = [RUNTIME, `${RUNTIME}/runtime-endpoint/prod`];
    const statement = (sid: string, action: string, resource: unknown) => ({
      Sid: sid,
      Effect: 'Allow',
      Action: `bedrock-agentcore:${action}`,
      Resource: resource,
    });
    expect(JSON.parse(json.join('\n'))).toEqual({
      Version: '2012-10-17',
      Statement: [
        statement('InvokeRuntimes', 'InvokeAgentRuntime', both),
        statement('ReadRuntimes', 'GetAgentRuntime', RUNTIME),
        statement('StopSessions', 'StopRuntimeSession', both),
      ],
    });
  });

  it('prints the policies for a role of another account: caller, role and trust', async () => {
    const principal = 'arn:aws:sts::210987654321:assumed-role/Developer/ada';
    const trust = ['--trust-principal', principal, '--external-id', 'abc', '--mfa'];
    const { stdout } = await iam(
      '--runtime',
      RUNTIME,
      '--gateway',
      GATEWAY,
      '--role',
      ROLE,
      ...trust,
    );
    expect(stdout.match(/^\S.*:$/gm)).toEqual([
      'Policy of the caller (your user or role):',
      `Policy of ${ROLE}:`,
      `Trust policy of ${ROLE}:`,
    ]);
    const { stdout: json } = await iam('--runtime', RUNTIME, '--role', ROLE, ...trust, '--json');
    expect(JSON.parse(json)).toMatchObject({
      caller: { Statement: [{ Action: 'sts:AssumeRole', Resource: ROLE }] },
      role: {
        arn: ROLE,
        permissions: { Statement: [{ Sid: 'InvokeRuntimes' }, {}, {}] },
        trust: {
          Statement: [
            {
              Principal: { AWS: 'arn:aws:iam::210987654321:role/Developer' },
              Condition: {
                StringEquals: { 'sts:ExternalId': 'abc' },
                Bool: { 'aws:MultiFactorAuthPresent': 'true' },
              },
            },
          ],
        },
      },
    });
  });

  it('names the options that the trust policy needs', async () => {
    const { code, stderr } = await iam('--runtime', RUNTIME, '--role', ROLE);
    expect(code).toBe(0);
    expect(stderr).toMatch(/who may assume it: --trust-principal ARN \(agentcore-mcp whoami/);
  });

  it.each([
    [[], /Name a target: --runtime ARN or --gateway ARN/],
    [['--runtime', 'x'], /Not the ARN of an AgentCore runtime/],
    [['--gateway', RUNTIME], /Not the ARN of an AgentCore gateway, expected/],
    [['--runtime', RUNTIME, '--qualifier', 'a b'], /expected one such as DEFAULT: a b/],
    [['--runtime', RUNTIME, '--mfa'], /--mfa requires a role: name it with --role ARN/],
    [['--runtime', RUNTIME, '--role', 'Reader'], /Not the ARN of a role/],
    [
      ['--runtime', RUNTIME, '--role', ROLE, '--trust-principal', 'bob'],
      /expected the ARN of a user/,
    ],
  ])('rejects %j with an error message', async (args, sentence) => {
    const result = await iam(...args);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(sentence);
  });
});
