import {
  describeJwtAuthorizer,
  type GatewayConfig,
  getAuthorizerType,
  type ResolvedConfig,
  type TargetConfig,
} from '../config/schema.ts';
import {
  createJsonRpcErrorResponse,
  createRestErrorResponse,
  type JsonRpcId,
} from '../http/errors.ts';
import {
  createInvocationDialect,
  type Dialect,
  type HttpExchange,
  type RequestBody,
  rejectNonJson,
} from '../http/exchange.ts';
import type { AwsService } from '../http/service.ts';
import { findDenial } from '../identity/access-keys.ts';
import {
  checkBearer,
  createProtectedResourceResponse,
  recordDenial,
  withBearerChallenge,
} from '../identity/bearer-verifier.ts';
import { checkSignature } from '../identity/sigv4-verifier.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../invocations/fault-effects.ts';
import { MCP_SESSION, MCP_SESSION_HEADER } from '../invocations/invocation.ts';
import { readMcpMessage } from '../sessions/mcp-routing.ts';
import {
  callTool,
  GATEWAY_VERSIONS,
  GatewaySessions,
  getGatewayUrl,
  listTools,
  type ServedGateway,
  type TargetLinks,
  type ToolsAnswer,
} from './gateway-targets.ts';
import type { Platform } from './platform.ts';

// Gateways: their MCP endpoint, and their description in the control plane.

const MAX_BODY_BYTES = 6_000_000;

const PATH = /^\/gateways\/([^/]+)\/(mcp|\.well-known\/oauth-protected-resource)$/;

const ACTION = 'bedrock-agentcore:InvokeGateway';

interface JsonRpcMessage {
  readonly id: JsonRpcId | undefined;
  readonly method: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
}

interface OpenGateway extends ServedGateway {
  readonly sessions: GatewaySessions;
}

/**
 * The data plane of gateways. A gateway is a Streamable HTTP MCP server with the tools of its
 * targets.
 */
export class GatewayService implements AwsService {
  readonly #platform: Platform;
  readonly #gateways: ReadonlyMap<string, OpenGateway>;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#gateways = new Map(
      platform.gateways.map((gateway) => [
        gateway.config.gatewayId,
        { ...gateway, sessions: new GatewaySessions(gateway, platform.clock) },
      ]),
    );
  }

  claims(exchange: HttpExchange): boolean {
    return PATH.test(exchange.path);
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const [, id = '', part] = PATH.exec(exchange.path) ?? [];
    const gateway = this.#gateways.get(id);
    exchange.record.operation = 'gateway';
    const body = await exchange.readBody(MAX_BODY_BYTES);
    if (body === 'disconnected') return;
    if (!gateway) {
      exchange.answer(
        createRestErrorResponse(404, 'ResourceNotFoundException', `No gateway has the id ${id}`),
      );
      return;
    }
    if (part !== 'mcp') {
      this.#answerMetadata(exchange, gateway);
      return;
    }
    const notJson = exchange.request.method === 'POST' ? rejectNonJson(exchange) : undefined;
    if (notJson) {
      exchange.answer(notJson);
      return;
    }
    const message = body === 'too-large' ? undefined : readMessage(body.bytes);
    const { config } = this.#platform;
    const dialect = createInvocationDialect(
      { protocol: 'MCP', switches: config.switches },
      message?.id ?? null,
    );
    if (body === 'too-large') {
      exchange.answer(dialect.error({ kind: 'validation', message: 'The request is too large' }));
      return;
    }
    const identity = await this.#admit(exchange, body, gateway, dialect);
    if (identity === undefined) return;
    if (exchange.request.method === 'POST') {
      await this.#post(exchange, body, message, { gateway, identity, dialect });
      return;
    }
    this.#endSession(exchange, gateway, identity);
  }

  #answerMetadata(exchange: HttpExchange, { config }: ServedGateway): void {
    const { authorizer } = config;
    const { url, oauth } = this.#platform;
    exchange.answer(
      typeof authorizer === 'string' || exchange.request.method !== 'GET'
        ? createRestErrorResponse(
            404,
            'ResourceNotFoundException',
            'This gateway takes no bearer tokens',
          )
        : createProtectedResourceResponse(getGatewayUrl(url, config), authorizer, oauth.issuerUrl),
    );
  }

  /**
   * Returns the identity of the caller, which is empty without an authorizer. `undefined` if the
   * request was refused and the response was sent.
   */
  async #admit(
    exchange: HttpExchange,
    body: RequestBody,
    { config }: ServedGateway,
    dialect: Dialect,
  ): Promise<string | undefined> {
    const { authorizer, arn } = config;
    if (authorizer === 'NONE') return '';
    if (authorizer !== 'AWS_IAM') {
      const { switches } = this.#platform.config;
      const verification = await checkBearer(this.#platform, exchange, authorizer, switches);
      if (verification.ok) return `${verification.claims.client_id} ${verification.claims.sub}`;
      const metadata = `${this.#platform.url}/gateways/${config.gatewayId}/.well-known/oauth-protected-resource`;
      const answer = dialect.error(verification.error);
      exchange.answer(answer.status === 401 ? withBearerChallenge(answer, metadata) : answer);
      return undefined;
    }
    const { region, account } = this.#platform.config;
    const verification = checkSignature(this.#platform, exchange, body, 'bedrock-agentcore', [
      region,
    ]);
    if (!verification.ok) {
      exchange.answer(dialect.signature(verification.fault, verification.message));
      return undefined;
    }
    const { principal } = verification;
    const refusal = findDenial(principal, [ACTION], { arn, account });
    if (!refusal) return principal.arn;
    recordDenial(this.#platform, exchange, refusal.message);
    exchange.answer(dialect.error(refusal));
    return undefined;
  }

  async #post(
    exchange: HttpExchange,
    body: RequestBody,
    message: JsonRpcMessage | undefined,
    caller: {
      readonly gateway: OpenGateway;
      readonly identity: string;
      readonly dialect: Dialect;
    },
  ): Promise<void> {
    const { gateway, identity, dialect } = caller;
    const { target } = readMcpMessage(body.bytes, undefined);
    const { record } = exchange;
    record.rpcMethod = message?.method;
    record.rpcId = message?.id;
    record.tool = target;
    const sessionId = exchange.header(MCP_SESSION);
    const fault = this.#platform.faults.take({
      operation: 'gateway',
      method: message?.method,
      tool: target,
      sessionIds: [sessionId],
    });
    recordFault(this.#platform, record, fault);
    if (fault && isAnswerFault(fault)) {
      answerWithFault(exchange, fault, dialect);
      return;
    }
    if (!message) {
      exchange.answer(
        createJsonRpcErrorResponse(400, null, { code: -32700, message: 'Parse error' }),
      );
      return;
    }
    const opens = message.method === 'initialize';
    const links = this.#getLinks(gateway, identity, opens ? undefined : sessionId, opens);
    if (typeof links === 'number') {
      const code = links === 404 ? -32001 : -32600;
      const text = links === 404 ? 'Session not found' : 'Missing Mcp-Session-Id header';
      exchange.answer(
        createJsonRpcErrorResponse(links, message.id ?? null, { code, message: text }),
      );
      return;
    }
    if (message.id === undefined || message.method === undefined) {
      exchange.answer({ status: 202, headers: {}, body: '' });
      return;
    }
    const opened = opens && gateway.config.sessions ? gateway.sessions.open(identity) : undefined;
    const answer = await this.#answerTo(gateway, message, links, exchange);
    if ('failure' in answer) {
      exchange.answer(dialect.error(answer.failure));
      return;
    }
    const session = opened ?? (gateway.config.sessions ? sessionId : undefined);
    exchange.answer({
      status: 200,
      headers: {
        'Content-Type': 'application/json',
        ...(session !== undefined && { [MCP_SESSION_HEADER]: session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer }),
    });
  }

  /**
   * Returns the links to the targets, or the status of an error if the request has no valid
   * session.
   */
  #getLinks(
    { config, sessions }: OpenGateway,
    identity: string,
    sessionId: string | undefined,
    opens: boolean,
  ): TargetLinks | 400 | 404 {
    if (!config.sessions || opens) return sessions.shared;
    if (sessionId === undefined) return 400;
    return sessions.links(sessionId, identity) ?? 404;
  }

  async #answerTo(
    { config }: OpenGateway,
    { method, params }: JsonRpcMessage,
    links: TargetLinks,
    exchange: HttpExchange,
  ): Promise<ToolsAnswer> {
    switch (method) {
      case 'initialize': {
        const wanted = String(params.protocolVersion);
        return {
          result: {
            protocolVersion: GATEWAY_VERSIONS.includes(wanted) ? wanted : GATEWAY_VERSIONS.at(-1),
            capabilities: { tools: { listChanged: false } },
            serverInfo: { name: config.name, version: '1.0.0' },
          },
        };
      }
      case 'ping':
        return { result: {} };
      case 'tools/list':
        return listTools(links);
      case 'tools/call':
        return callTool(links, params, exchange.record, this.#platform.deliveries);
      default:
        return { error: { code: -32601, message: `Method not found: ${method}` } };
    }
  }

  #endSession(exchange: HttpExchange, { config, sessions }: OpenGateway, identity: string): void {
    const id = exchange.header(MCP_SESSION);
    if (exchange.request.method !== 'DELETE' || !config.sessions) {
      const answer = createRestErrorResponse(
        405,
        'UnsupportedOperationException',
        'Method not allowed',
      );
      exchange.answer({ ...answer, headers: { ...answer.headers, Allow: 'POST' } });
      return;
    }
    const known = id !== undefined && sessions.links(id, identity) !== undefined;
    if (known) sessions.end(id);
    exchange.answer({ status: known ? 204 : 404, headers: {}, body: '' });
  }
}

/** Returns `undefined` if the body is not a JSON object. */
function readMessage(bytes: Buffer): JsonRpcMessage | undefined {
  try {
    const message: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof message !== 'object' || message === null || Array.isArray(message)) return undefined;
    const { id, method, params } = message as Readonly<Record<string, unknown>>;
    return {
      id: typeof id === 'string' || typeof id === 'number' ? id : undefined,
      method: typeof method === 'string' ? method : undefined,
      params: (typeof params === 'object' && params !== null
        ? params
        : {}) as JsonRpcMessage['params'],
    };
  } catch {
    return undefined;
  }
}

const DESCRIPTION = 'Served by the local AgentCore';

/** Describes a gateway in the format of ListGateways, without its URL. */
export function summarizeGateway(gateway: GatewayConfig, since: string): object {
  return {
    gatewayId: gateway.gatewayId,
    name: gateway.name,
    status: 'READY',
    description: DESCRIPTION,
    createdAt: since,
    updatedAt: since,
    authorizerType: getAuthorizerType(gateway),
    protocolType: 'MCP',
  };
}

/** Describes a gateway in the format of GetGateway. */
export function describeGateway(
  gateway: GatewayConfig,
  { partition, account }: ResolvedConfig,
  since: string,
  urls: { readonly base: string; readonly issuer: string },
): object {
  const { authorizer, sessions, sessionTimeout } = gateway;
  return {
    ...summarizeGateway(gateway, since),
    gatewayArn: gateway.arn,
    gatewayUrl: getGatewayUrl(urls.base, gateway),
    roleArn: `arn:${partition}:iam::${account}:role/AgentCoreLocal-${gateway.name}`,
    protocolConfiguration: {
      mcp: {
        supportedVersions: GATEWAY_VERSIONS,
        ...(sessions && {
          sessionConfiguration: { sessionTimeoutInSeconds: Math.ceil(sessionTimeout) },
        }),
      },
    },
    ...(typeof authorizer !== 'string' && {
      authorizerConfiguration: describeJwtAuthorizer(authorizer, urls.issuer),
    }),
  };
}

/** Describes a target in the format of ListGatewayTargets. */
export function summarizeTarget({ name, targetId, server }: TargetConfig, since: string): object {
  return {
    targetId,
    name,
    status: 'READY',
    createdAt: since,
    updatedAt: since,
    lastSynchronizedAt: since,
    targetType: typeof server === 'string' ? 'AGENTCORE_RUNTIME' : 'MCP_SERVER',
  };
}

/** Describes a target in the format of GetGatewayTarget. */
export function describeTarget(
  target: TargetConfig,
  { arn }: GatewayConfig,
  since: string,
): object {
  const { server } = target;
  return {
    ...summarizeTarget(target, since),
    gatewayArn: arn,
    targetConfiguration: {
      mcp: {
        // A placeholder, because the real address of the target is internal.
        mcpServer: {
          endpoint: `https://${typeof server === 'string' ? server : target.name}.invalid/mcp`,
        },
      },
    },
    credentialProviderConfigurations: [{ credentialProviderType: 'GATEWAY_IAM_ROLE' }],
  };
}
