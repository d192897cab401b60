import { AgentCoreError } from '../../base/errors.ts';
import { type GatewayArn, ROLE_ARN, type RuntimeArn } from '../arn.ts';

/** Creates minimal IAM policies and trust policies for the use of runtimes and gateways. */

/** A runtime and the invoked endpoint. */
interface RuntimeTarget {
  readonly runtime: RuntimeArn;
  /** If absent, the ARN's own endpoint, else DEFAULT. */
  readonly qualifier?: string | undefined;
}

/** The runtimes and gateways to use. */
export interface Targets {
  readonly runtimes: readonly RuntimeTarget[];
  readonly gateways: readonly GatewayArn[];
}

/** Further operations, apart from invocation. */
export interface Needs {
  /** Stop sessions to end their cost. */
  readonly stop: boolean;
  /** Invoke on behalf of a user, with the user's ID. */
  readonly userId: boolean;
  /** Find all runtimes and gateways of the account. */
  readonly list: boolean;
}

/** The roles to assume first, if any. */
interface RolesToAssume {
  readonly roles: readonly string[];
  /** True if the session sets a source identity. */
  readonly sourceIdentity?: boolean | undefined;
}

/** Every runtime has this endpoint. It is invoked by default. */
export const DEFAULT_ENDPOINT = 'DEFAULT';

/** The minimal policy for the signing principal. */
export function createAccessPolicy(targets: Targets, needs: Needs): PolicyDocument {
  return createPolicyDocument(createAccessStatements(targets, needs));
}

/**
 * The minimal policy for the caller. If the caller assumes a role, this is only the permission to
 * assume it. The role needs the rest, see {@link createAccessPolicy}.
 */
export function createCallerPolicy(
  targets: Targets,
  needs: Needs,
  { roles, sourceIdentity = false }: RolesToAssume = { roles: [] },
): PolicyDocument {
  if (roles.length === 0) return createAccessPolicy(targets, needs);
  return createPolicyDocument([
    createAllowStatement('AssumeRole', ['sts:AssumeRole'], roles),
    ...(sourceIdentity
      ? [createAllowStatement('SetSourceIdentity', ['sts:SetSourceIdentity'], roles)]
      : []),
  ]);
}

function createAccessStatements({ runtimes, gateways }: Targets, needs: Needs): Statement[] {
  const invocable = runtimes.flatMap((target) => [target.runtime.arn, getEndpointArn(target)]);
  const runtimeArns = runtimes.map(({ runtime }) => runtime.arn);
  const gatewayArns = gateways.map(({ arn }) => arn);
  return [
    ...createStatements('InvokeRuntimes', ['InvokeAgentRuntime'], invocable),
    ...createStatements(
      'InvokeRuntimesForUsers',
      ['InvokeAgentRuntimeForUser'],
      needs.userId ? invocable : [],
    ),
    ...createStatements('StopSessions', ['StopRuntimeSession'], needs.stop ? invocable : []),
    // Only this call returns the session timeouts, which determine the cost.
    ...createStatements('ReadRuntimes', ['GetAgentRuntime'], needs.list ? [] : runtimeArns),
    ...createStatements('InvokeGateways', ['InvokeGateway'], gatewayArns),
    ...createStatements('ReadGateways', ['GetGateway'], needs.list ? [] : gatewayArns),
    ...(needs.list ? listStatements([...runtimes.map(({ runtime }) => runtime), ...gateways]) : []),
  ];
}

type Home = Pick<RuntimeArn, 'partition' | 'region' | 'account'>;

function listStatements(homes: readonly Home[]): Statement[] {
  const all = (kind: string) =>
    homes.map(
      ({ partition, region, account }) =>
        `arn:${partition}:bedrock-agentcore:${region}:${account}:${kind}/*`,
    );
  const regions = [...new Set(homes.map(({ region }) => region))].sort();
  return [
    createAllowStatement('List', LIST_ACTIONS.map(getActionName), ['*'], {
      // AWS supports no narrower resource for these actions.
      StringEquals: { 'aws:RequestedRegion': regions },
    }),
    ...createStatements('ReadAllRuntimes', ['GetAgentRuntime'], all('runtime')),
    ...createStatements('ReadAllGateways', ['GetGateway'], all('gateway')),
  ];
}

/** Returns no statement if there are no resources. */
function createStatements(
  sid: string,
  actions: readonly AgentCoreAction[],
  resources: readonly string[],
): Statement[] {
  return resources.length === 0
    ? []
    : [createAllowStatement(sid, actions.map(getActionName), resources)];
}

function getEndpointArn({ runtime, qualifier }: RuntimeTarget): string {
  return `${runtime.arn}/runtime-endpoint/${qualifier ?? runtime.endpoint ?? DEFAULT_ENDPOINT}`;
}

/** A trusted principal and its conditions. */
interface Trust {
  /** The ARN of a user, role or assumed role, or an account by its ID or root ARN. */
  readonly principal: string;
  readonly externalId?: string | undefined;
  /** Requires a login with an MFA device. */
  readonly mfa?: boolean | undefined;
  /** True if callers may set a source identity. */
  readonly sourceIdentity?: boolean | undefined;
}

const PRINCIPAL = /^arn:(aws[a-z-]*):(iam|sts)::(\d{12}):(root|(user|role|assumed-role)\/(.+))$/;

const SSO_ROLE = /^AWSReservedSSO_/;

const SSO_PATH = 'aws-reserved/sso.amazonaws.com/';

/** @throws {AgentCoreError} `usage` if the text is not the ARN of a role. */
export function parseRoleArn(text: string): string {
  if (ROLE_ARN.test(text.trim())) return text.trim();
  throw new AgentCoreError(
    'usage',
    `Not the ARN of a role, expected arn:aws:iam::ACCOUNT:role/NAME: ${text}`,
  );
}

/**
 * Creates the trust policy of a role.
 *
 * @param partition The role's partition, for an account given by its ID.
 * @throws {AgentCoreError} `usage` if the principal is invalid.
 */
export function createTrustPolicy(trust: Trust, partition = 'aws'): TrustPolicy {
  const { principal, condition } = parseTrustedPrincipal(trust.principal, partition);
  const base = { Effect: 'Allow', Principal: { AWS: principal } } as const;
  const terms: Conditions = {
    ...condition,
    ...(trust.externalId && { StringEquals: { 'sts:ExternalId': trust.externalId } }),
    ...(trust.mfa && { Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
  };
  const statements: TrustStatement[] = [
    {
      Sid: 'AssumeRole',
      ...base,
      Action: 'sts:AssumeRole',
      ...(Object.keys(terms).length > 0 && { Condition: terms }),
    },
  ];
  // A separate statement: alone it grants no access, and the conditions above may not apply to it.
  if (trust.sourceIdentity) {
    statements.push({
      Sid: 'SetSourceIdentity',
      ...base,
      Action: toPolicyValue(['sts:SetSourceIdentity']),
      ...(condition && { Condition: condition }),
    });
  }
  return createPolicyDocument(statements);
}

/** A principal in a trust policy, and the condition that limits it. */
export interface TrustedPrincipal {
  readonly principal: string;
  readonly condition?: Conditions;
}

function parseTrustedPrincipal(text: string, ofRole: string): TrustedPrincipal {
  const principal = text.trim();
  if (/^\d{12}$/.test(principal)) return { principal: `arn:${ofRole}:iam::${principal}:root` };
  const trusted = toTrustedPrincipal(principal);
  if (trusted) return trusted;
  throw new AgentCoreError(
    'usage',
    `Not a principal that a role can trust, expected the ARN of a user or role, or an account's twelve digits: ${text}`,
  );
}

/**
 * Converts the ARN of a principal for a trust policy. A session is replaced by its role. For a role
 * of IAM Identity Center, patterns are used, because session ARNs omit the role's path. Returns
 * `undefined` if a role cannot trust the principal.
 *
 * Source: "Referencing permission sets in resource policies" in the IAM Identity Center User Guide.
 * The path ends with the region of IAM Identity Center, but not for us-east-1.
 */
export function toTrustedPrincipal(principal: string): TrustedPrincipal | undefined {
  const [, partition, service, account, whole = '', kind, path = ''] =
    PRINCIPAL.exec(principal) ?? [];
  const belongs = (service === 'sts') === (kind === 'assumed-role');
  if (!partition || !belongs) return undefined;
  if (whole === 'root' || kind === 'user') return { principal };
  const role = kind === 'role' ? path : (path.split('/')[0] as string);
  const name = role.slice(role.lastIndexOf('/') + 1);
  if (SSO_ROLE.test(name) && !role.startsWith(SSO_PATH)) {
    const base = `arn:${partition}:iam::${account}:role/${SSO_PATH}`;
    return {
      principal: `arn:${partition}:iam::${account}:root`,
      condition: { ArnLike: { 'aws:PrincipalArn': [`${base}*/${name}`, `${base}${name}`] } },
    };
  }
  return { principal: `arn:${partition}:iam::${account}:role/${role}` };
}

/** The conditions of a statement: operator, key, values. */
type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

interface StatementBase {
  /** Only letters and digits: IAM accepts nothing else here. */
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: string | readonly string[];
  readonly Condition?: Conditions;
}

/** A statement of an identity-based policy. */
export interface Statement extends StatementBase {
  readonly Resource: string | readonly string[];
}

/** A statement of a role's trust policy. */
interface TrustStatement extends StatementBase {
  readonly Principal: { readonly AWS: string };
}

/** An IAM policy document. */
export interface PolicyDocument<S extends StatementBase = Statement> {
  readonly Version: '2012-10-17';
  readonly Statement: readonly S[];
}

export type TrustPolicy = PolicyDocument<TrustStatement>;

/** Creates a document with statements sorted by Sid, so that the same needs give the same text. */
function createPolicyDocument<S extends StatementBase>(
  statements: readonly S[],
): PolicyDocument<S> {
  const sorted = [...statements].sort((one, other) => (one.Sid < other.Sid ? -1 : 1));
  return { Version: '2012-10-17', Statement: sorted };
}

/** Creates a statement with sorted and unique actions and resources. */
export function createAllowStatement(
  sid: string,
  actions: readonly string[],
  resources: readonly string[],
  condition?: Conditions,
): Statement {
  return {
    Sid: sid,
    Effect: 'Allow',
    Action: toPolicyValue(actions),
    Resource: toPolicyValue(resources),
    ...(condition && { Condition: condition }),
  };
}

/** Removes duplicates and sorts. Returns a string for a single value, as is usual in policies. */
export function toPolicyValue(values: readonly string[]): string | readonly string[] {
  const sorted = [...new Set(values)].sort();
  return sorted.length === 1 ? (sorted[0] as string) : sorted;
}

/**
 * The required resources of each action. An invocation is authorized for both the runtime and its
 * endpoint. List actions support only `*`.
 *
 * Source: "Actions, resources, and condition keys for Amazon Bedrock AgentCore" in the Service
 * Authorization Reference, as of September 2026.
 */
const ACTION_RESOURCES = {
  InvokeAgentRuntime: 'runtime-and-endpoint',
  InvokeAgentRuntimeForUser: 'runtime-and-endpoint',
  StopRuntimeSession: 'runtime-and-endpoint',
  GetAgentCard: 'runtime-and-endpoint',
  InvokeAgentRuntimeCommand: 'runtime-and-endpoint',
  GetAgentRuntime: 'runtime',
  ListAgentRuntimes: 'any',
  ListAgentRuntimeEndpoints: 'any',
  ListAgentRuntimeVersions: 'any',
  InvokeGateway: 'gateway',
  GetGateway: 'gateway',
  ListGateways: 'any',
} as const;

type AgentCoreAction = keyof typeof ACTION_RESOURCES;

/** Actions for listing runtimes and gateways, in addition to the `Get` actions. */
const LIST_ACTIONS: readonly AgentCoreAction[] = [
  'ListAgentRuntimes',
  'ListAgentRuntimeEndpoints',
  'ListAgentRuntimeVersions',
  'ListGateways',
];

/** Adds the IAM service prefix. */
function getActionName(action: AgentCoreAction): string {
  return `bedrock-agentcore:${action}`;
}

/** Returns the resource kind of an action, or `undefined` for an unlisted action. */
export function getResourceKind(
  action: string,
): (typeof ACTION_RESOURCES)[AgentCoreAction] | undefined {
  const [service, name = ''] = action.split(':');
  if (service !== 'bedrock-agentcore' || !Object.hasOwn(ACTION_RESOURCES, name)) return undefined;
  return ACTION_RESOURCES[name as AgentCoreAction];
}
