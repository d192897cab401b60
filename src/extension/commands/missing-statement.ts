import { missingStatements } from '../../aws/iam/access-denied.ts';
import type { Statement } from '../../aws/iam/policy-document.ts';

/**
 * What IAM has to allow for somebody to call a runtime or a gateway. AgentCore says of MCP servers
 * that it refused, and not what was missing.
 *
 * @param arn Of a runtime, of its endpoint, or of a gateway.
 * @param qualifier The endpoint, where the ARN names none; absent for `DEFAULT`.
 */
export function statementToCall(arn: string, qualifier: string | undefined): Statement | undefined {
  const isGateway = arn.includes(':gateway/');
  const isWhole = isGateway || qualifier === undefined || arn.includes('/runtime-endpoint/');
  const [statement] = missingStatements([
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
