import type { DiscoveredGateway, DiscoveredRuntime } from './model.ts';

/** How a runtime or gateway can be used. */
interface Use {
  /** For the picker: `MCP · IAM`, `Gateway · JWT`. */
  readonly kind: string;
  /**
   * `yes` if it can be an MCP server now. `token`: only with a bearer token. `unknown`: its details
   * could not be read.
   */
  readonly asServer: 'yes' | 'token' | 'no' | 'unknown';
  /** Advice for the user, without a full stop. */
  readonly sentence: string;
}

/** Checks if a runtime or gateway can be added as an MCP server: status, protocol, authorizer. */
export function getCallability(target: DiscoveredRuntime | DiscoveredGateway): Use {
  const kind = getTargetKind(target);
  const notReady = describeNotReady(target);
  if (notReady) return { kind, asServer: 'no', sentence: notReady };
  return { kind, ...(target.kind === 'gateway' ? getGatewayUse(target) : getRuntimeUse(target)) };
}

/** Protocol and authorizer. `?` stands for an unknown value. */
export function getTargetKind(target: DiscoveredRuntime | DiscoveredGateway): string {
  if (target.kind === 'gateway') return `Gateway · ${target.authorizer}`;
  const { protocol = '?', authorizer = '?' } = target;
  return `${protocol} · ${authorizer}`;
}

type Answer = Omit<Use, 'kind'>;

function getRuntimeUse({ protocol, authorizer }: DiscoveredRuntime): Answer {
  if (protocol === undefined || authorizer === undefined) {
    return {
      asServer: 'unknown',
      sentence:
        'Its protocol and authorizer could not be read: allow bedrock-agentcore:GetAgentRuntime',
    };
  }
  const call = authorizer === 'IAM' ? 'a signed InvokeAgentRuntime' : 'a bearer token';
  switch (protocol) {
    case 'MCP':
      return authorizer === 'IAM'
        ? { asServer: 'yes', sentence: 'An MCP server: use it through the proxy' }
        : {
            asServer: 'token',
            sentence:
              'An MCP server that requires a bearer token: use it through the proxy, which gets one as an OAuth client or by a command',
          };
    case 'HTTP':
      return { asServer: 'no', sentence: `An agent, not an MCP server: call it with ${call}` };
    case 'A2A':
      return {
        asServer: 'no',
        sentence: `An A2A agent, not an MCP server: other agents reach it by its agent card, with ${call}`,
      };
    case 'AGUI':
      return {
        asServer: 'no',
        sentence: `An AG-UI agent, not an MCP server: its user interface calls it with ${call}`,
      };
    default:
      return {
        asServer: 'no',
        sentence: `It speaks ${protocol}, which this version does not support: look for an update`,
      };
  }
}

function getGatewayUse({ authorizer, protocol, url }: DiscoveredGateway): Answer {
  if (protocol !== undefined && protocol !== 'MCP') {
    return { asServer: 'no', sentence: `It speaks ${protocol}, not MCP` };
  }
  if (url === undefined) {
    return {
      asServer: 'unknown',
      sentence: 'Its URL could not be read: allow bedrock-agentcore:GetGateway',
    };
  }
  switch (authorizer) {
    case 'IAM':
      return { asServer: 'yes', sentence: 'An MCP server: use it through the proxy' };
    case 'NONE':
      return {
        asServer: 'yes',
        sentence: 'An MCP server that is open to anyone with its URL',
      };
    case 'JWT':
      return {
        asServer: 'token',
        sentence:
          'An MCP server that requires a bearer token: use it through the proxy, which gets one as an OAuth client or by a command',
      };
    case 'OTHER':
      return {
        asServer: 'no',
        sentence: 'This version does not support its authorizer: look for an update',
      };
  }
}

/** The old version stays in service during an update and after a failed update. */
const SERVING = ['READY', 'UPDATING', 'UPDATE_FAILED', 'UPDATE_UNSUCCESSFUL'];

function describeNotReady(target: DiscoveredRuntime | DiscoveredGateway): string | undefined {
  const { status } = target;
  const reason = target.kind === 'runtime' ? target.failureReason : undefined;
  if (SERVING.includes(status)) return undefined;
  if (status === 'CREATING') return 'It is being created: try again in a minute';
  if (status === 'DELETING') return 'It is being deleted';
  const words = status.toLowerCase().replaceAll('_', ' ') || 'unknown';
  return `It is not ready (${words})${reason ? `: ${reason}` : ''}`;
}
