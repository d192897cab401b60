import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnRuntime, CfnRuntimeEndpoint } from 'aws-cdk-lib/aws-bedrockagentcore';
import { Effect, ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { executionRole } from './execution-role.ts';
import {
  repositoryName,
  resourceId,
  SAMPLE_RUNTIMES,
  type SampleRuntime,
} from './sample-runtimes.ts';

/** The endpoint that follows each deployment. `DEFAULT`, which AgentCore makes, does so as well. */
const ENDPOINT = 'live';
/** AgentCore's own of each runtime. */
const DEFAULT_ENDPOINT = 'DEFAULT';

export interface RuntimesProps extends StackProps {
  readonly repositoryPrefix: string;
  /** The tag of all images. */
  readonly imageTag: string;
  /** Seconds until a session without requests ends; from 60 on. */
  readonly idleTimeout: number;
  /** Seconds until a session ends in any case. */
  readonly maxLifetime: number;
}

/** The sample runtimes with an execution role each, and a policy for whoever uses them. */
export class RuntimesStack extends Stack {
  constructor(scope: Construct, id: string, props: RuntimesProps) {
    super(scope, id, props);
    const arns = SAMPLE_RUNTIMES.flatMap((sample) => this.#deploy(sample, props));
    const policy = new ManagedPolicy(this, 'ProxyUser', {
      description: 'Use the sample runtimes through agentcore-mcp',
      statements: [
        new PolicyStatement({
          sid: 'UseRuntimes',
          effect: Effect.ALLOW,
          actions: ['bedrock-agentcore:InvokeAgentRuntime', 'bedrock-agentcore:StopRuntimeSession'],
          resources: arns,
        }),
      ],
    });
    new CfnOutput(this, 'ProxyUserPolicyArn', { value: policy.managedPolicyArn });
  }

  /** @returns the ARNs of the runtime and its endpoints. */
  #deploy(sample: SampleRuntime, props: RuntimesProps): string[] {
    const id = resourceId(sample);
    const repository = repositoryName(props.repositoryPrefix, sample);
    const { account, region, urlSuffix } = this;
    const role = executionRole(this, `${id}Role`, {
      runtimeName: sample.name,
      repositoryName: repository,
      description: `Runs ${sample.name} on AgentCore Runtime`,
    });
    const runtime = new CfnRuntime(this, `${id}Runtime`, {
      agentRuntimeName: sample.name,
      description: sample.description,
      agentRuntimeArtifact: {
        containerConfiguration: {
          containerUri: `${account}.dkr.ecr.${region}.${urlSuffix}/${repository}:${props.imageTag}`,
        },
      },
      protocolConfiguration: sample.protocol,
      networkConfiguration: { networkMode: 'PUBLIC' },
      lifecycleConfiguration: {
        idleRuntimeSessionTimeout: props.idleTimeout,
        maxLifetime: props.maxLifetime,
      },
      roleArn: role.roleArn,
    });
    // AgentCore pulls the image as soon as the runtime is made.
    runtime.node.addDependency(role);
    const endpoint = new CfnRuntimeEndpoint(this, `${id}Endpoint`, {
      agentRuntimeId: runtime.attrAgentRuntimeId,
      agentRuntimeVersion: runtime.attrAgentRuntimeVersion,
      name: ENDPOINT,
    });
    const arn = runtime.attrAgentRuntimeArn;
    new CfnOutput(this, `${id}Arn`, { value: arn });
    return [
      arn,
      `${arn}/runtime-endpoint/${DEFAULT_ENDPOINT}`,
      endpoint.attrAgentRuntimeEndpointArn,
    ];
  }
}
