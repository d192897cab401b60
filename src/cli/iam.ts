import { ENDPOINT_NAME, parseGatewayArn, parseRuntimeArn } from '../aws/arn.ts';
import {
  createAccessPolicy,
  createCallerPolicy,
  createTrustPolicy,
  type Needs,
  type PolicyDocument,
  parseRoleArn,
  type Targets,
  type TrustPolicy,
} from '../aws/iam/policies.ts';
import { AgentCoreError } from '../base/errors.ts';

interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface IamArguments {
  readonly runtime?: readonly string[] | undefined;
  /** Endpoint for runtime ARNs without one. */
  readonly qualifier?: string | undefined;
  readonly gateway?: readonly string[] | undefined;
  /** Role to assume, for example in the account of the runtime. */
  readonly role?: string | undefined;
  readonly trustPrincipal?: string | undefined;
  readonly externalId?: string | undefined;
  readonly mfa?: boolean | undefined;
  readonly sourceIdentity?: boolean | undefined;
  /** Whether the caller may stop sessions. Default: true. */
  readonly stop?: boolean | undefined;
  readonly list?: boolean | undefined;
  readonly userId?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** The policies to attach to the caller and the role. */
interface Documents {
  readonly caller: PolicyDocument;
  readonly role?: {
    readonly arn: string;
    readonly permissions: PolicyDocument;
    /** Absent if the user named no trusted principal. */
    readonly trust?: TrustPolicy;
  };
}

/**
 * Runs the verb `iam`: prints the minimum IAM permissions for the given options. Makes no AWS
 * calls.
 *
 * @returns 0.
 * @throws {AgentCoreError} `usage`
 */
export function runIam(options: IamArguments, streams: Streams): number {
  const targets = readTargets(options);
  const needs: Needs = {
    stop: options.stop ?? true,
    list: options.list ?? false,
    userId: options.userId ?? false,
  };
  const documents = createDocuments(options, targets, needs);
  if (options.json) {
    streams.stdout.write(`${JSON.stringify(documents, null, 2)}\n`);
    return 0;
  }
  streams.stdout.write(report(documents));
  if (documents.role && !documents.role.trust) {
    streams.stderr.write(
      "For the role's trust policy, say who may assume it: --trust-principal ARN (agentcore-mcp whoami tells yours).\n",
    );
  }
  return 0;
}

function readTargets({ runtime = [], gateway = [], qualifier }: IamArguments): Targets {
  if (runtime.length + gateway.length === 0) {
    throw new AgentCoreError('usage', 'Name a target: --runtime ARN or --gateway ARN');
  }
  if (qualifier !== undefined && !ENDPOINT_NAME.test(qualifier)) {
    throw new AgentCoreError(
      'usage',
      `Not the name of an endpoint, expected one such as DEFAULT: ${qualifier}`,
    );
  }
  return {
    runtimes: runtime.map((arn) => {
      const parsed = parseRuntimeArn(arn);
      return { runtime: parsed, qualifier: parsed.endpoint ?? qualifier };
    }),
    gateways: gateway.map(parseGatewayArn),
  };
}

function createDocuments(options: IamArguments, targets: Targets, needs: Needs): Documents {
  const { role, trustPrincipal, externalId, mfa, sourceIdentity } = options;
  if (role === undefined) {
    const orphan = [
      trustPrincipal !== undefined && '--trust-principal',
      externalId !== undefined && '--external-id',
      mfa && '--mfa',
      sourceIdentity && '--source-identity',
    ].find(Boolean);
    if (orphan) {
      throw new AgentCoreError('usage', `${orphan} requires a role: name it with --role ARN`);
    }
    return { caller: createCallerPolicy(targets, needs) };
  }
  const arn = parseRoleArn(role);
  const partition = arn.split(':')[1];
  return {
    caller: createCallerPolicy(targets, needs, { roles: [arn], sourceIdentity }),
    role: {
      arn,
      permissions: createAccessPolicy(targets, needs),
      ...(trustPrincipal && {
        trust: createTrustPolicy(
          { principal: trustPrincipal, externalId, mfa, sourceIdentity },
          partition,
        ),
      }),
    },
  };
}

function report({ caller, role }: Documents): string {
  const sections = [
    formatSection('Policy of the caller (your user or role)', caller),
    ...(role ? [formatSection(`Policy of ${role.arn}`, role.permissions)] : []),
    ...(role?.trust ? [formatSection(`Trust policy of ${role.arn}`, role.trust)] : []),
  ];
  return sections.join('\n');
}

function formatSection(heading: string, document: object): string {
  return `${heading}:\n${JSON.stringify(document, null, 2)}\n`;
}
