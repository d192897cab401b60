import type { RuntimeArn } from '../arn.ts';
import { type AgentCoreAction, actionName, LIST_ACTIONS } from './actions.ts';
import type { GatewayArn } from './gateway-arn.ts';
import { allow, type PolicyDocument, policyOf, type Statement } from './policy-document.ts';

/** A runtime, and the endpoint of it that is invoked. */
interface RuntimeTarget {
  readonly runtime: RuntimeArn;
  /** Absent: the ARN's own endpoint, else DEFAULT. */
  readonly qualifier?: string | undefined;
}

/** What is to be used. */
export interface Targets {
  readonly runtimes: readonly RuntimeTarget[];
  readonly gateways: readonly GatewayArn[];
}

/** What is to be done with it, besides invoking. */
export interface Needs {
  /** Stop the sessions that were started, so that they cost nothing any more. */
  readonly stop: boolean;
  /** Invoke on behalf of a user whose id is sent along. */
  readonly userId: boolean;
  /** Find runtimes and gateways, those of the whole account. */
  readonly list: boolean;
}

/** The roles that the caller assumes first, if any. */
export interface RolesToAssume {
  readonly roles: readonly string[];
  /** Whether the session is to carry a source identity. */
  readonly sourceIdentity?: boolean | undefined;
}

/** The endpoint that every runtime has, and that is invoked where none is named. */
export const DEFAULT_ENDPOINT = 'DEFAULT';

/** The least that invoking these targets takes, for whoever signs the requests. */
export function accessPolicy(targets: Targets, needs: Needs): PolicyDocument {
  return policyOf(accessStatements(targets, needs));
}

/**
 * The least that a caller needs. One that assumes a role needs no more than that: the rest is the
 * role's, see {@link accessPolicy}.
 */
export function callerPolicy(
  targets: Targets,
  needs: Needs,
  { roles, sourceIdentity = false }: RolesToAssume = { roles: [] },
): PolicyDocument {
  if (roles.length === 0) return accessPolicy(targets, needs);
  return policyOf([
    allow('AssumeRole', ['sts:AssumeRole'], roles),
    ...(sourceIdentity ? [allow('SetSourceIdentity', ['sts:SetSourceIdentity'], roles)] : []),
  ]);
}

function accessStatements({ runtimes, gateways }: Targets, needs: Needs): Statement[] {
  const invocable = runtimes.flatMap((target) => [target.runtime.arn, endpointArn(target)]);
  const runtimeArns = runtimes.map(({ runtime }) => runtime.arn);
  const gatewayArns = gateways.map(({ arn }) => arn);
  return [
    ...statement('InvokeRuntimes', ['InvokeAgentRuntime'], invocable),
    ...statement(
      'InvokeRuntimesForUsers',
      ['InvokeAgentRuntimeForUser'],
      needs.userId ? invocable : [],
    ),
    ...statement('StopSessions', ['StopRuntimeSession'], needs.stop ? invocable : []),
    // How long a session lives, and with that what it costs, is told there alone.
    ...statement('ReadRuntimes', ['GetAgentRuntime'], needs.list ? [] : runtimeArns),
    ...statement('InvokeGateways', ['InvokeGateway'], gatewayArns),
    ...statement('ReadGateways', ['GetGateway'], needs.list ? [] : gatewayArns),
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
    allow('List', LIST_ACTIONS.map(actionName), ['*'], {
      // AWS knows no narrower resource for these.
      StringEquals: { 'aws:RequestedRegion': regions },
    }),
    ...statement('ReadAllRuntimes', ['GetAgentRuntime'], all('runtime')),
    ...statement('ReadAllGateways', ['GetGateway'], all('gateway')),
  ];
}

/** Nothing where it would be about nothing. */
function statement(
  sid: string,
  actions: readonly AgentCoreAction[],
  resources: readonly string[],
): Statement[] {
  return resources.length === 0 ? [] : [allow(sid, actions.map(actionName), resources)];
}

function endpointArn({ runtime, qualifier }: RuntimeTarget): string {
  return `${runtime.arn}/runtime-endpoint/${qualifier ?? runtime.endpoint ?? DEFAULT_ENDPOINT}`;
}
