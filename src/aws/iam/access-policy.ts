import type { RuntimeArn } from '../arn.ts';
import { type AgentCoreAction, getActionName, LIST_ACTIONS } from './actions.ts';
import type { GatewayArn } from './gateway-arn.ts';
import {
  createAllowStatement,
  createPolicyDocument,
  type PolicyDocument,
  type Statement,
} from './policy-document.ts';

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
  /** Whether to set a source identity in the session. */
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
