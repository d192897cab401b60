import { type Stack, Token } from 'aws-cdk-lib';
import {
  Effect,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';

export interface ExecutionRoleProps {
  readonly runtimeName: string;
  readonly repositoryName: string;
  readonly description: string;
}

/**
 * The role that AgentCore takes to run one runtime. It may pull this runtime's image, write this
 * runtime's logs, and send traces. The containers may do the same, and nothing else.
 */
export function executionRole(stack: Stack, id: string, props: ExecutionRoleProps): Role {
  const { account, region, partition } = stack;
  const { runtimeName, repositoryName, description } = props;
  if (!Token.isUnresolved(runtimeName) && !/^[a-zA-Z][a-zA-Z0-9_]{0,47}$/.test(runtimeName)) {
    throw new Error(`Not the name of an AgentCore runtime: ${runtimeName}`);
  }
  // AgentCore names a log group by the runtime's id, which is its name, a dash and ten characters,
  // and by the endpoint. A name has no dash, so this is no other runtime's.
  const logGroup = `arn:${partition}:logs:${region}:${account}:log-group:/aws/bedrock-agentcore/runtimes/${runtimeName}-*`;
  const allow = (sid: string, actions: string[], resource: string) =>
    new PolicyStatement({ sid, effect: Effect.ALLOW, actions, resources: [resource] });
  return new Role(stack, id, {
    description,
    assumedBy: new ServicePrincipal('bedrock-agentcore.amazonaws.com', {
      // Nobody else's AgentCore can be talked into taking the role.
      conditions: {
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: { 'aws:SourceArn': `arn:${partition}:bedrock-agentcore:${region}:${account}:*` },
      },
    }),
    inlinePolicies: {
      Runtime: new PolicyDocument({
        statements: [
          allow(
            'PullImage',
            ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
            `arn:${partition}:ecr:${region}:${account}:repository/${repositoryName}`,
          ),
          // AWS knows no resource for this one, nor for those of X-Ray.
          allow('LogInToRegistry', ['ecr:GetAuthorizationToken'], '*'),
          allow('UseLogGroup', ['logs:CreateLogGroup', 'logs:DescribeLogStreams'], logGroup),
          allow(
            'WriteLogs',
            ['logs:CreateLogStream', 'logs:PutLogEvents'],
            `${logGroup}:log-stream:*`,
          ),
          allow(
            'SendTraces',
            [
              'xray:PutTraceSegments',
              'xray:PutTelemetryRecords',
              'xray:GetSamplingRules',
              'xray:GetSamplingTargets',
            ],
            '*',
          ),
        ],
      }),
    },
  });
}
