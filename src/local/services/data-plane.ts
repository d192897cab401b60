import type { ArmedFault } from '../config/faults.ts';
import { createRestErrorResponse, type PlatformError } from '../http/errors.ts';
import {
  createInvocationDialect,
  type Dialect,
  type HttpExchange,
  REST_DIALECT,
  type RequestBody,
  rejectNonJson,
} from '../http/exchange.ts';
import { type AwsService, decodeLabel } from '../http/service.ts';
import { findDenial } from '../identity/access-keys.ts';
import {
  checkBearer,
  checkMethod,
  createProtectedResourceResponse,
  getAuthorizationMethod,
  recordDenial,
  withBearerChallenge,
} from '../identity/bearer-verifier.ts';
import { checkSignature } from '../identity/sigv4-verifier.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../invocations/fault-effects.ts';
import {
  MCP_SESSION,
  RUNTIME_SESSION,
  RUNTIME_SESSION_HEADER,
  type ServedRuntime,
  validateHeaders,
} from '../invocations/invocation.ts';
import { invokeHttp, invokeMcp } from '../invocations/invoke.ts';
import { type McpMessage, readMcpMessage } from '../sessions/mcp-routing.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import type { Platform } from './platform.ts';

const MAX_BODY_BYTES = 100_000_000;

const MAX_STOP_BYTES = 100_000;

const PATH = /^\/runtimes\/([^/]+)\/(invocations|stopruntimesession)$/;

const METADATA_PATH = /^\/runtimes\/([^/]+)\/invocations\/\.well-known\/oauth-protected-resource$/;

type Operation = 'invoke' | 'stop';

const ACTIONS: Readonly<Record<Operation, string>> = {
  invoke: 'bedrock-agentcore:InvokeAgentRuntime',
  stop: 'bedrock-agentcore:StopRuntimeSession',
};

const ACTION_FOR_USER = 'bedrock-agentcore:InvokeAgentRuntimeForUser';

/** The data plane of AgentCore: InvokeAgentRuntime and StopRuntimeSession. */
export class DataPlane implements AwsService {
  readonly #platform: Platform;
  readonly #stopTokens: StopTokens = new Map();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  claims(exchange: HttpExchange): boolean {
    return PATH.test(exchange.path) || METADATA_PATH.test(exchange.path);
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const match = PATH.exec(exchange.path);
    if (!match?.[1]) {
      this.#answerMetadata(exchange);
      return;
    }
    const operation: Operation = match[2] === 'invocations' ? 'invoke' : 'stop';
    const runtime = this.#findRuntime(match[1], exchange.parameter('accountId'));
    exchange.record.operation = operation;
    exchange.record.runtime = runtime?.config.name;
    const sessionId = exchange.header(RUNTIME_SESSION);
    if (runtime?.config.switches.sessionIdOnRefusals && operation === 'invoke' && sessionId) {
      exchange.extraHeaders = { [RUNTIME_SESSION_HEADER]: sessionId };
    }
    if (exchange.request.method !== 'POST') {
      const status = (runtime?.config ?? this.#platform.config).switches.unmodelledMethodStatus;
      const answer = createRestErrorResponse(
        status,
        'UnsupportedOperationException',
        'Method not allowed',
      );
      exchange.answer({ ...answer, headers: { ...answer.headers, Allow: 'POST' } });
      return;
    }
    const body = await exchange.readBody(operation === 'invoke' ? MAX_BODY_BYTES : MAX_STOP_BYTES);
    if (body === 'disconnected') return;
    const isMcpInvoke = operation === 'invoke' && runtime?.config.protocol === 'MCP';
    const notJson = isMcpInvoke ? rejectNonJson(exchange) : undefined;
    if (notJson) {
      exchange.answer(notJson);
      return;
    }
    const message =
      isMcpInvoke && body !== 'too-large'
        ? readMcpMessage(body.bytes, exchange.header('mcp-protocol-version'))
        : undefined;
    const dialect =
      runtime && operation === 'invoke'
        ? createInvocationDialect(runtime.config, message?.id ?? null)
        : REST_DIALECT;
    if (body === 'too-large') {
      exchange.answer(
        dialect.error({ kind: 'validation', message: 'The request body exceeds the maximum size' }),
      );
      return;
    }
    if (!(await this.#admit(exchange, body, dialect, runtime, operation))) return;
    const refusal = runtime
      ? this.#refusal(exchange, runtime, operation)
      : createNotFoundError(exchange, decodeLabel(match[1]));
    if (refusal || !runtime) {
      if (refusal) exchange.answer(dialect.error(refusal));
      return;
    }
    const fault = this.#faultFor(exchange, runtime, operation, message);
    if (fault && isAnswerFault(fault) && fault.phase === 'before') {
      answerWithFault(exchange, fault, dialect);
      return;
    }
    const qualifier = parseQualifier(exchange, match[1]);
    if (operation === 'stop') {
      await stopSession(exchange, runtime, qualifier, body.bytes, this.#stopTokens);
      return;
    }
    if (!runtime.invocationRate.admit()) {
      exchange.answer(dialect.error({ kind: 'throttled', message: 'Rate exceeded' }));
      return;
    }
    const platform = this.#platform;
    const invocation = { platform, runtime, exchange, dialect, qualifier, body: body.bytes, fault };
    await (message ? invokeMcp(invocation, message) : invokeHttp(invocation));
  }

  /**
   * Sends the RFC 9728 metadata. It requires no token, because clients read it before they have
   * one.
   */
  #answerMetadata(exchange: HttpExchange): void {
    const label = METADATA_PATH.exec(exchange.path)?.[1] ?? '';
    const runtime = this.#findRuntime(label, exchange.parameter('accountId'));
    const { url, oauth } = this.#platform;
    exchange.record.runtime = runtime?.config.name;
    if (!runtime || runtime.config.authorizer === 'IAM' || exchange.request.method !== 'GET') {
      exchange.answer(REST_DIALECT.error(createNotFoundError(exchange, decodeLabel(label))));
      return;
    }
    const resource = `${getInvocationsUrl(url, label)}${getQualifierQuery(exchange)}`;
    const { authorizer } = runtime.config;
    exchange.answer(createProtectedResourceResponse(resource, authorizer, oauth.issuerUrl));
  }

  /**
   * Checks the authentication and the permissions. If a check fails, sends the error and returns
   * false.
   */
  async #admit(
    exchange: HttpExchange,
    body: RequestBody,
    dialect: Dialect,
    runtime: ServedRuntime | undefined,
    operation: Operation,
  ): Promise<boolean> {
    const methods = getAuthMethods(runtime, operation);
    const mismatch = checkMethod(exchange, methods);
    if (mismatch) {
      recordDenial(this.#platform, exchange, mismatch.message);
      exchange.answer(dialect.error(mismatch));
      return false;
    }
    const [first] = methods;
    if (runtime && (getAuthorizationMethod(exchange) ?? first) === 'bearer') {
      return this.#admitBearer(exchange, dialect, runtime);
    }
    return this.#admitSigned(exchange, body, dialect, runtime, operation);
  }

  async #admitBearer(
    exchange: HttpExchange,
    dialect: Dialect,
    { config }: ServedRuntime,
  ): Promise<boolean> {
    const { authorizer, switches } = config;
    if (authorizer === 'IAM') return false;
    const check = await checkBearer(this.#platform, exchange, authorizer, switches);
    if (check.ok) return true;
    const answer = dialect.error(check.error);
    const invocations = getInvocationsUrl(this.#platform.url, exchange.path.split('/')[2] ?? '');
    const metadata = `${invocations}/.well-known/oauth-protected-resource${getQualifierQuery(exchange)}`;
    exchange.answer(answer.status === 401 ? withBearerChallenge(answer, metadata) : answer);
    return false;
  }

  #admitSigned(
    exchange: HttpExchange,
    body: RequestBody,
    dialect: Dialect,
    runtime: ServedRuntime | undefined,
    operation: Operation,
  ): boolean {
    const { region, account } = this.#platform.config;
    const verification = checkSignature(this.#platform, exchange, body, 'bedrock-agentcore', [
      region,
    ]);
    if (!verification.ok) {
      exchange.answer(dialect.signature(verification.fault, verification.message));
      return false;
    }
    const actions = [ACTIONS[operation]];
    if (exchange.header('x-amzn-bedrock-agentcore-runtime-user-id')) actions.push(ACTION_FOR_USER);
    const { arn = exchange.path, trustedPrincipals = [] } = runtime?.config ?? {};
    const resource = { arn, account, trustedPrincipals };
    const refusal = findDenial(verification.principal, actions, resource);
    if (refusal) {
      recordDenial(this.#platform, exchange, refusal.message);
      exchange.answer(dialect.error(refusal));
    }
    return refusal === undefined;
  }

  #refusal(
    exchange: HttpExchange,
    runtime: ServedRuntime,
    operation: Operation,
  ): PlatformError | undefined {
    const qualifier = parseQualifier(exchange, exchange.path.split('/')[2] ?? '');
    if (!runtime.config.endpoints.some(({ name }) => name === qualifier)) {
      return createNotFoundError(exchange, runtime.config.arn);
    }
    const fault = validateHeaders(exchange.headers);
    if (fault) return { kind: 'validation', message: fault };
    if (operation === 'stop' && exchange.header(RUNTIME_SESSION) === undefined) {
      return { kind: 'validation', message: 'runtimeSessionId is required' };
    }
    return undefined;
  }

  #faultFor(
    exchange: HttpExchange,
    runtime: ServedRuntime,
    operation: Operation,
    message: McpMessage | undefined,
  ): ArmedFault | undefined {
    const { record } = exchange;
    record.rpcMethod = message?.method;
    record.rpcId = message?.id;
    record.tool = message?.target;
    const fault = this.#platform.faults.take({
      operation,
      runtime: runtime.config.name,
      method: message?.method,
      tool: message?.target,
      sessionIds: [exchange.header(MCP_SESSION), exchange.header(RUNTIME_SESSION)],
    });
    recordFault(this.#platform, record, fault);
    return fault;
  }

  /**
   * Finds a runtime by its ARN, by the ARN of an endpoint, or by its id together with the account.
   */
  #findRuntime(label: string, accountId: string | undefined): ServedRuntime | undefined {
    const id = decodeLabel(label).split('/runtime-endpoint/')[0];
    return this.#platform.runtimes.find(
      ({ config }) =>
        config.arn === id ||
        (config.runtimeId === id && accountId === this.#platform.config.account),
    );
  }
}

/**
 * The allowed authorization methods. If a request has none, the first method determines the error.
 */
function getAuthMethods(
  runtime: ServedRuntime | undefined,
  operation: Operation,
): readonly ('sigv4' | 'bearer')[] {
  if (!runtime || runtime.config.authorizer === 'IAM') return ['sigv4'];
  if (operation === 'invoke') return ['bearer'];
  // AWS does not document the authorization of a stop, if the runtime has a JWT authorizer.
  const { stopJwtBy } = runtime.config.switches;
  return stopJwtBy === 'either' ? ['bearer', 'sigv4'] : [stopJwtBy];
}

function getInvocationsUrl(url: string, label: string): string {
  return `${url}/runtimes/${label}/invocations`;
}

function getQualifierQuery(exchange: HttpExchange): string {
  return `?qualifier=${encodeURIComponent(exchange.parameter('qualifier') ?? 'DEFAULT')}`;
}

function parseQualifier(exchange: HttpExchange, label: string): string {
  const endpoint = decodeLabel(label).split('/runtime-endpoint/')[1];
  return exchange.parameter('qualifier') ?? endpoint ?? 'DEFAULT';
}

function createNotFoundError(exchange: HttpExchange, agent: string): PlatformError {
  const qualifier = exchange.parameter('qualifier') ?? 'DEFAULT';
  return {
    kind: 'not-found',
    message: `No endpoint or agent found with qualifier '${qualifier}' for agent '${agent}'`,
  };
}

/** Maximum number of client tokens in memory. */
const MAX_TOKENS = 1000;

/** Session ids of successful stops, by client token. A repeated token gets the same response. */
type StopTokens = Map<string, string>;

/**
 * Stops all sessions with an id. If clients share an id, each MCP handshake has its own session.
 */
async function stopSession(
  exchange: HttpExchange,
  runtime: ServedRuntime,
  qualifier: string,
  body: Buffer,
  tokens: StopTokens,
): Promise<void> {
  const id = exchange.header(RUNTIME_SESSION) ?? '';
  const token = parseClientToken(body);
  const done = token !== undefined && tokens.get(token) === id;
  const sessions = done ? [] : findSessions(runtime, qualifier, id);
  if (!done && sessions.every((session) => session.stopped && !session.changing)) {
    exchange.answer(
      REST_DIALECT.error({
        kind: 'not-found',
        message: `Session ${id} was not found or has ended`,
      }),
    );
    return;
  }
  const { conflictWhileChanging } = runtime.config.switches;
  if (conflictWhileChanging && sessions.some((session) => session.changing)) {
    exchange.answer(REST_DIALECT.error({ kind: 'retryable-conflict', message: '' }));
    return;
  }
  await Promise.all(sessions.map((session) => session.stop('stop-runtime-session')));
  if (token !== undefined) addBounded(tokens, token, id);
  exchange.answer({
    status: 200,
    headers: { 'Content-Type': 'application/json', [RUNTIME_SESSION_HEADER]: id },
    body: '{}',
  });
}

function findSessions(runtime: ServedRuntime, qualifier: string, id: string): RuntimeSession[] {
  const { protocol, switches } = runtime.config;
  const by = protocol === 'MCP' ? switches.stopBy : 'runtime-session-id';
  return runtime.sessions
    .all()
    .filter(
      (session) =>
        session.qualifier === qualifier &&
        ((by !== 'mcp-session-id' && session.runtimeSessionId === id) ||
          (by !== 'runtime-session-id' && session.mcpSessionId === id)),
    );
}

function parseClientToken(body: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const token =
      typeof parsed === 'object' &&
      parsed !== null &&
      'clientToken' in parsed &&
      parsed.clientToken;
    return typeof token === 'string' ? token : undefined;
  } catch {
    // The body is optional.
    return undefined;
  }
}

function addBounded(tokens: StopTokens, token: string, id: string): void {
  tokens.set(token, id);
  const [oldest] = tokens.keys();
  if (tokens.size > MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
}
