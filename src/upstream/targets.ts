import type { GatewayAddress, RuntimeArn } from '../aws/arn.ts';
import {
  type EndpointOptions,
  getDataPlaneUrl,
  getGatewayUrl,
  getRuntimeInvocationsUrl,
} from '../aws/endpoints.ts';
import { ErrorCode } from '../mcp/message.ts';
import type { HttpTarget, StatusDescription } from './upstream.ts';

/**
 * A runtime, called by InvokeAgentRuntime. The SDK's client does not fit: it hides the JSON-RPC
 * errors of 4xx replies and sends no bearer tokens. It also retries after a 5xx, so a tool may run
 * twice.
 */
export function createRuntimeTarget(
  { runtime, qualifier }: { readonly runtime: RuntimeArn; readonly qualifier: string | undefined },
  options: EndpointOptions,
): HttpTarget {
  return {
    noun: 'runtime',
    name: runtime.arn,
    url: getRuntimeInvocationsUrl(getRuntimeEndpoint(runtime, options), runtime, qualifier),
    sessionHeader: 'x-amzn-bedrock-agentcore-runtime-session-id',
    statusDescriptions: RUNTIME_STATUS_DESCRIPTIONS,
  };
}

/** Returns the base URL of the data plane for a runtime. */
export function getRuntimeEndpoint(runtime: RuntimeArn, options: EndpointOptions): URL {
  return runtime.dataPlane ? new URL(runtime.dataPlane) : getDataPlaneUrl(runtime, options);
}

/**
 * A gateway, called by MCP over Streamable HTTP. The AWS SDKs have no client for InvokeGateway.
 */
export function createGatewayTarget(gateway: GatewayAddress, options: EndpointOptions): HttpTarget {
  return {
    noun: 'gateway',
    name: gateway.name,
    url: getGatewayUrl(gateway, options),
    statusDescriptions: GATEWAY_STATUS_DESCRIPTIONS,
  };
}

/** HTTP statuses of InvokeAgentRuntime (source: its exceptions in the SDK's model). */
const RUNTIME_STATUS_DESCRIPTIONS: Readonly<Record<number, StatusDescription>> = {
  400: {
    code: ErrorCode.validation,
    what: 'AgentCore refused the request as invalid',
    todo: 'check the runtime, the qualifier and the arguments',
  },
  401: {
    code: ErrorCode.unauthorized,
    what: 'AgentCore did not accept who is calling',
    todo: 'check the credentials and the clock of this machine, and set AGENTCORE_AUTH if it takes JWT bearer tokens',
  },
  402: {
    code: ErrorCode.throttled,
    what: 'A quota of the account is exceeded',
    todo: 'stop sessions that are not needed, or ask AWS for a higher quota',
  },
  403: {
    code: ErrorCode.accessDenied,
    what: 'Access was denied',
    todo: 'check that these credentials may call bedrock-agentcore:InvokeAgentRuntime on the runtime and its endpoint',
  },
  404: {
    code: ErrorCode.notFound,
    what: 'AgentCore does not find the runtime, its endpoint or the session',
    todo: 'check the ARN, the region and the qualifier',
  },
  406: {
    code: ErrorCode.notAcceptable,
    what: 'The runtime answers in no form that was asked for',
    todo: 'check that it is an MCP runtime',
  },
  409: {
    code: ErrorCode.conflict,
    what: 'The session is changing just now',
    todo: 'try again',
  },
  413: {
    code: ErrorCode.validation,
    what: 'The request is too large',
    todo: 'AgentCore takes up to 100 MB',
  },
  424: {
    code: ErrorCode.containerFailed,
    what: 'The container of the runtime failed',
    todo: 'look at its CloudWatch logs',
  },
  429: {
    code: ErrorCode.throttled,
    what: 'AgentCore is throttling',
    todo: 'try again later, with fewer calls at once',
  },
};

/** HTTP statuses of a gateway (source: "Gateways" of the AgentCore developer guide). */
const GATEWAY_STATUS_DESCRIPTIONS: Readonly<Record<number, StatusDescription>> = {
  400: {
    code: ErrorCode.validation,
    what: 'The gateway refused the request as invalid',
    todo: 'check the arguments, and the version of MCP that the gateway speaks',
  },
  401: {
    code: ErrorCode.unauthorized,
    what: 'The gateway did not accept who is calling',
    todo: 'check the credentials and the clock of this machine, and set AGENTCORE_AUTH if it takes JWT bearer tokens',
  },
  402: {
    code: ErrorCode.throttled,
    what: 'A quota of the account is exceeded',
    todo: 'ask AWS for a higher quota',
  },
  403: {
    code: ErrorCode.accessDenied,
    what: 'Access was denied',
    todo: 'check that these credentials may call bedrock-agentcore:InvokeGateway on the gateway',
  },
  404: {
    code: ErrorCode.notFound,
    what: 'There is no such gateway, or it does not know the session',
    todo: 'check the address and the region',
  },
  405: {
    code: ErrorCode.notAcceptable,
    what: 'The address takes no MCP messages',
    todo: 'check that it is that of a gateway, which ends with /mcp',
  },
  406: {
    code: ErrorCode.notAcceptable,
    what: 'The gateway answers in no form that was asked for',
    todo: 'check that it speaks MCP',
  },
  409: {
    code: ErrorCode.conflict,
    what: 'The gateway is changing just now',
    todo: 'try again',
  },
  413: {
    code: ErrorCode.validation,
    what: 'The request is too large',
    todo: 'gateways take up to 6 MB',
  },
  424: {
    code: ErrorCode.containerFailed,
    what: 'A target of the gateway failed',
    todo: "look at the gateway's and the target's CloudWatch logs",
  },
  429: {
    code: ErrorCode.throttled,
    what: 'AgentCore is throttling',
    todo: 'try again later, with fewer calls at once',
  },
};
