import { createMissingStatements } from '../../aws/iam/access-denied.ts';
import type { Statement } from '../../aws/iam/policy-document.ts';

/**
 * The IAM statement that allows a caller to invoke a runtime or a gateway. For MCP servers, the
 * access denied response of AgentCore does not name the missing permission.
 *
 * @param arn Of a runtime, a runtime endpoint or a gateway.
 * @param qualifier The endpoint, if the ARN contains none. Absent for `DEFAULT`.
 */
export function createCallStatement(
  arn: string,
  qualifier: string | undefined,
): Statement | undefined {
  const isGateway = arn.includes(':gateway/');
  const isWhole = isGateway || qualifier === undefined || arn.includes('/runtime-endpoint/');
  const [statement] = createMissingStatements([
    {
      principal: '',
      action: `bedrock-agentcore:${isGateway ? 'InvokeGateway' : 'InvokeAgentRuntime'}`,
      resource: isWhole ? arn : `${arn}/runtime-endpoint/${qualifier}`,
      reason: 'unknown',
      policy: undefined,
    },
  ]);
  return statement;
}
