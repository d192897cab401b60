import { Match, Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { sampleApp } from '../../examples/deploy/sample-app.ts';
import { SAMPLE_RUNTIMES } from '../../examples/deploy/sample-runtimes.ts';

const ACCOUNT = '123456789012';
const REGION = 'eu-west-1';
const ENV = { account: ACCOUNT, region: REGION };

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The value of texts that CloudFormation joins: `aws` for the partition, names for references. */
function plain(value: unknown): Json {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value as Json;
  const entries = Object.entries(value);
  const [[key, inner] = ['', undefined]] = entries;
  if (key === 'Fn::Join') return (plain(inner[1]) as string[]).join(inner[0]);
  if (key === 'Fn::GetAtt') return inner.join('.');
  if (key === 'Ref')
    return { 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' }[inner as string] ?? inner;
  return Object.fromEntries(entries.map(([name, part]) => [name, plain(part)]));
}

let images: Template;
let runtimes: Template;

beforeAll(() => {
  const app = sampleApp({ context: { imageTag: '7' } }, ENV);
  images = Template.fromStack(app.images);
  runtimes = Template.fromStack(app.runtimes);
});

/** The properties of all resources of a type, by id. */
function resources(template: Template, type: string): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(template.findResources(type)).map(([id, { Properties }]) => [
      id,
      plain(Properties),
    ]),
  );
}

const only = (template: Template, type: string) => Object.values(resources(template, type));

describe('the images', () => {
  it('have one repository each, with immutable tags', () => {
    expect(only(images, 'AWS::ECR::Repository')).toEqual(
      SAMPLE_RUNTIMES.map(({ folder }) => ({
        RepositoryName: `agentcore-mcp/${folder}`,
        ImageTagMutability: 'IMMUTABLE',
        ImageScanningConfiguration: { ScanOnPush: true },
        EmptyOnDelete: true,
      })),
    );
  });
});

describe('the runtimes', () => {
  it('are the four samples with their protocols and images', () => {
    const found = only(runtimes, 'AWS::BedrockAgentCore::Runtime').map((properties) => {
      const { AgentRuntimeName, ProtocolConfiguration, AgentRuntimeArtifact } =
        properties as Record<string, Json>;
      return [AgentRuntimeName, ProtocolConfiguration, AgentRuntimeArtifact];
    });
    const image = (folder: string) => ({
      ContainerConfiguration: {
        ContainerUri: `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/agentcore-mcp/${folder}:7`,
      },
    });
    expect(found).toEqual([
      ['sample_stateless', 'MCP', image('stateless')],
      ['sample_stateful', 'MCP', image('stateful')],
      ['sample_stateful_bridge', 'HTTP', image('stateful-bridge')],
      ['sample_stateless_2026', 'MCP', image('stateless-2026')],
    ]);
  });

  it('have short session timeouts, and an endpoint for the deployed version', () => {
    runtimes.allResourcesProperties('AWS::BedrockAgentCore::Runtime', {
      LifecycleConfiguration: { IdleRuntimeSessionTimeout: 300, MaxLifetime: 3600 },
    });
    runtimes.resourceCountIs('AWS::BedrockAgentCore::RuntimeEndpoint', 4);
    runtimes.allResourcesProperties('AWS::BedrockAgentCore::RuntimeEndpoint', {
      Name: 'live',
      AgentRuntimeVersion: { 'Fn::GetAtt': [Match.anyValue(), 'AgentRuntimeVersion'] },
    });
  });

  it('have one role each', () => {
    const roles = only(runtimes, 'AWS::BedrockAgentCore::Runtime').map(
      (properties) => (properties as Record<string, Json>).RoleArn,
    );
    expect(new Set(roles).size).toBe(4);
    runtimes.resourceCountIs('AWS::IAM::Role', 4);
  });
});

describe('an execution role', () => {
  const cases = SAMPLE_RUNTIMES.map(({ folder, name }) => [folder, name] as const);

  it.each(cases)('of %s allows the needs of its runtime and nothing else', (folder, name) => {
    const logGroup = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/aws/bedrock-agentcore/runtimes/${name}-*`;
    const [role, ...others] = only(runtimes, 'AWS::IAM::Role').filter((properties) =>
      JSON.stringify(properties).includes(`Runs ${name} on`),
    );
    expect(others).toEqual([]);
    expect(role).toEqual({
      Description: `Runs ${name} on AgentCore Runtime`,
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: 'sts:AssumeRole',
            Principal: { Service: 'bedrock-agentcore.amazonaws.com' },
            Condition: {
              StringEquals: { 'aws:SourceAccount': ACCOUNT },
              ArnLike: { 'aws:SourceArn': `arn:aws:bedrock-agentcore:${REGION}:${ACCOUNT}:*` },
            },
          },
        ],
      },
      Policies: [
        {
          PolicyName: 'Runtime',
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Sid: 'PullImage',
                Effect: 'Allow',
                Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
                Resource: `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/agentcore-mcp/${folder}`,
              },
              {
                Sid: 'LogInToRegistry',
                Effect: 'Allow',
                Action: 'ecr:GetAuthorizationToken',
                Resource: '*',
              },
              {
                Sid: 'UseLogGroup',
                Effect: 'Allow',
                Action: ['logs:CreateLogGroup', 'logs:DescribeLogStreams'],
                Resource: logGroup,
              },
              {
                Sid: 'WriteLogs',
                Effect: 'Allow',
                Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
                Resource: `${logGroup}:log-stream:*`,
              },
              {
                Sid: 'SendTraces',
                Effect: 'Allow',
                Action: [
                  'xray:PutTraceSegments',
                  'xray:PutTelemetryRecords',
                  'xray:GetSamplingRules',
                  'xray:GetSamplingTargets',
                ],
                Resource: '*',
              },
            ],
          },
        },
      ],
    });
  });

  it('contains no permissions from elsewhere', () => {
    runtimes.resourceCountIs('AWS::IAM::Policy', 0);
    runtimes.resourceCountIs('AWS::IAM::ManagedPolicy', 1);
  });
});

describe('the policy for users of the proxy', () => {
  it('allows invoking and stopping exactly the deployed runtimes and their endpoints', () => {
    const ids = Object.keys(resources(runtimes, 'AWS::BedrockAgentCore::Runtime'));
    const endpoints = Object.keys(resources(runtimes, 'AWS::BedrockAgentCore::RuntimeEndpoint'));
    const [policy] = only(runtimes, 'AWS::IAM::ManagedPolicy');
    expect((policy as Record<string, Json>).PolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'UseRuntimes',
          Effect: 'Allow',
          Action: ['bedrock-agentcore:InvokeAgentRuntime', 'bedrock-agentcore:StopRuntimeSession'],
          Resource: ids.flatMap((id, index) => [
            `${id}.AgentRuntimeArn`,
            `${id}.AgentRuntimeArn/runtime-endpoint/DEFAULT`,
            `${endpoints[index]}.AgentRuntimeEndpointArn`,
          ]),
        },
      ],
    });
  });
});

it('rejects a timeout outside the bounds of AgentCore', () => {
  expect(() => sampleApp({ context: { idleTimeout: 5 } })).toThrow(/idleTimeout must be/);
});
