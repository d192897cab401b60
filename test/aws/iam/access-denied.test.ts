import { describe, expect, it } from 'vitest';
import {
  createMissingStatements,
  formatAdvice,
  parseDenial,
} from '../../../src/aws/iam/access-denied.ts';

const RUNTIME = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/server-k5qkx7arw0';
const USER = 'arn:aws:iam::123456789012:user/ada';
const SESSION = 'arn:aws:sts::123456789012:assumed-role/Developer/ada';

function sentence(cause: string, resource = RUNTIME, principal = USER): string {
  return `User: ${principal} is not authorized to perform: bedrock-agentcore:InvokeAgentRuntime on resource: ${resource}${cause}`;
}

const SILENT =
  ' because no identity-based policy allows the bedrock-agentcore:InvokeAgentRuntime action';

function denial(message: string) {
  const parsed = parseDenial(message);
  if (!parsed) throw new Error(`No denial: ${message}`);
  return parsed;
}

describe('an AccessDenied message', () => {
  it('is parsed into principal, action and resource', () => {
    expect(parseDenial(sentence(SILENT))).toEqual({
      principal: USER,
      action: 'bedrock-agentcore:InvokeAgentRuntime',
      resource: RUNTIME,
      reason: 'unmentioned',
      policy: 'identity-based policy',
    });
  });

  it('is ignored if it has another form', () => {
    expect(parseDenial('Rate exceeded')).toBeUndefined();
  });

  it.each([
    [SILENT, USER, `add it to a policy of ${USER}`],
    [SILENT, SESSION, 'add it to a policy of the role Developer'],
    ['', USER, `add it to a policy of ${USER}`],
    [
      ' with an explicit deny in an identity-based policy',
      USER,
      'an identity-based policy forbids it, and no other permission overrides this: ask the owner of the policy',
    ],
    [
      ' with an explicit deny in a service control policy',
      USER,
      'a service control policy forbids it, and no other permission overrides this: ask the owner of the policy',
    ],
    [
      ' because no permissions boundary allows the action',
      SESSION,
      'add it to the permissions boundary of the role Developer',
    ],
    [
      ' because no session policy allows the action',
      USER,
      'add it to the policy that the session was made with',
    ],
    [
      ' because no service control policy allows the action',
      USER,
      'have it added to the service control policy',
    ],
    [
      ' because no resource-based policy allows the action',
      USER,
      'add the caller to the resource policies of the runtime and of its endpoint, or assume a role of that account',
    ],
  ])('for %j leads to a next step', (cause, principal, advice) => {
    expect(formatAdvice(denial(sentence(cause, RUNTIME, principal)))).toBe(advice);
  });
});

describe('the missing statements', () => {
  it('name the endpoint and the runtime, whichever one AWS names', () => {
    const endpoint = `${RUNTIME}/runtime-endpoint/prod`;
    const both = [RUNTIME, endpoint];
    expect(createMissingStatements([denial(sentence(SILENT, endpoint))])).toEqual([
      {
        Sid: 'AllowInvokeAgentRuntime',
        Effect: 'Allow',
        Action: 'bedrock-agentcore:InvokeAgentRuntime',
        Resource: both,
      },
    ]);
    const [statement] = createMissingStatements([denial(sentence(SILENT))]);
    expect(statement?.Resource).toEqual([RUNTIME, `${RUNTIME}/runtime-endpoint/DEFAULT`]);
  });

  it('contain one statement for each action', () => {
    const others = ['a', 'b'].map((name) =>
      denial(
        `User: ${USER} is not authorized to perform: bedrock-agentcore:GetAgentRuntime on resource: ${name}`,
      ),
    );
    expect(createMissingStatements([...others, denial(sentence(SILENT))])).toMatchObject([
      { Sid: 'AllowGetAgentRuntime', Resource: ['a', 'b'] },
      { Sid: 'AllowInvokeAgentRuntime' },
    ]);
  });

  it.each([
    ' with an explicit deny in a service control policy',
    ' because no resource-based policy allows the action',
  ])('are empty if a statement does not help:%s', (cause) => {
    expect(createMissingStatements([denial(sentence(cause))])).toEqual([]);
  });
});
