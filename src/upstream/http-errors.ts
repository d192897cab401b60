import type { Authorizer } from '../aws/auth/authorizer.ts';
import { type AuthProbeResult, readChallenge } from '../aws/auth/www-authenticate.ts';
import { getHeader, readErrorReply } from '../aws/error-reply.ts';
import { AgentCoreError } from '../base/errors.ts';
import { sanitizeForTerminal } from '../base/format.ts';
import type { HttpReply } from '../http/post.ts';
import {
  createErrorResponse,
  ErrorCode,
  isObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
} from '../mcp/message.ts';
import { findPlatformError } from '../mcp/platform-errors.ts';
import type { HttpTarget, StatusDescription } from './upstream.ts';

/** Context for describing error replies: server and caller. */
export interface ErrorContext {
  readonly target: HttpTarget;
  /** The authorization method of the caller. */
  readonly method: Authorizer['method'];
  /** Detects the server's authorization method by an unauthorized request. Never rejects. */
  readonly probeMethod: () => Promise<AuthProbeResult['method']>;
}

/** Descriptions by exception name, more exact than the status (source: AWS "Common Errors"). */
const DESCRIPTIONS_BY_NAME: Readonly<Record<string, Pick<StatusDescription, 'what' | 'todo'>>> = {
  ExpiredTokenException: {
    what: 'The AWS credentials have expired',
    todo: 'sign in again (for an SSO profile: aws sso login) and repeat the call',
  },
  InvalidSignatureException: {
    what: 'AWS did not accept the signature',
    todo: 'check the secret access key and the clock of this machine',
  },
  UnrecognizedClientException: {
    what: 'AWS does not know the access key',
    todo: 'check the credentials and that they belong to the partition of the runtime',
  },
};

/**
 * Converts a reply with a status other than 2xx to the response of its request. Returns the
 * server's JSON-RPC error if the body contains one.
 *
 * @param request The request as sent; `undefined` for a notification or a response.
 * @throws {AgentCoreError} `upstream` with the cause if the body has no error for the request.
 */
export async function describeErrorReply(
  reply: HttpReply,
  request: JsonRpcRequest | undefined,
  context: ErrorContext,
): Promise<JsonRpcResponse> {
  const { body, name, words, retryAfter, requestId } = await readErrorReply(reply);
  const error = parseJsonRpcError(body);
  const isOfServer = isFromMicroVm(reply, error?.error, context.target);
  const facts = {
    name,
    status: reply.status,
    outcome: getRefusalOutcome(reply.status, words, context.target),
    retryAfter,
    requestId,
    ...(isOfServer && { source: 'server' }),
    [context.target.noun]: context.target.name,
  };
  // For AgentCore's own 401 and 403, our description is more exact than the body.
  const own = isOfServer || !isAuthFailure(reply.status) ? error : undefined;
  if (own && request) {
    const httpStatus = reply.status;
    if (own.id?.key === request.id.key) return { ...own, httpStatus };
    if (!own.id) return { ...withFacts(own, request, facts), httpStatus };
  }
  const ofCaller = isOfServer
    ? undefined
    : await describeAuthFailure(
        { ...facts, words, challenge: getHeader(reply, 'www-authenticate') },
        context,
      );
  const meaning = isOfServer
    ? MCP_SERVER_ERROR
    : {
        ...getStatusDescription(reply.status, context.target),
        ...DESCRIPTIONS_BY_NAME[facts.name ?? ''],
        ...ofCaller,
      };
  const detail = ofCaller?.detail ?? words ?? facts.name;
  throw new AgentCoreError(
    'upstream',
    `${meaning.what} (HTTP ${reply.status}${detail ? `: ${detail}` : ''}): ${meaning.todo}`,
    {
      data: {
        jsonRpcCode: meaning.code,
        ...facts,
        ...(ofCaller?.wants && { wants: ofCaller.wants }),
      },
    },
  );
}

/** Description of an error from the MCP server in the microVM. Its own message has the cause. */
const MCP_SERVER_ERROR: StatusDescription = {
  code: ErrorCode.internalError,
  what: 'The MCP server in the runtime refused the request',
  todo: "check the server's settings and its CloudWatch logs",
};

/**
 * True if the MCP server in the microVM sent the reply, rather than AgentCore. Its replies have a
 * session id. AgentCore's errors are not known to have one. If they do, their error type or their
 * documented text identifies them.
 */
function isFromMicroVm(
  reply: HttpReply,
  error: JsonRpcResponse['error'],
  { sessionHeader }: HttpTarget,
): boolean {
  if (sessionHeader === undefined || getHeader(reply, 'x-amzn-errortype') !== undefined)
    return false;
  if (error && findPlatformError(error)) return false;
  if (getHeader(reply, sessionHeader)) return true;
  // Without a session id, a 401 or 403 is AgentCore's, unless its JSON-RPC code is not AgentCore's.
  const { code } = error ?? { code: ErrorCode.unauthorized };
  return (
    isAuthFailure(reply.status) &&
    code !== ErrorCode.unauthorized &&
    code !== ErrorCode.accessDenied
  );
}

function isAuthFailure(status: number): boolean {
  return status === 401 || status === 403;
}

function getStatusDescription(
  status: number,
  { statusDescriptions }: HttpTarget,
): StatusDescription {
  return (
    statusDescriptions[status] ?? {
      code: ErrorCode.internalError,
      what: status >= 500 ? 'AgentCore failed' : 'AgentCore answered with an unexpected status',
      todo:
        status >= 500
          ? 'whether the call took effect is unknown; try again if repeating it does no harm'
          : 'check the endpoint, and the proxy between if there is one',
    }
  );
}

/** Assigns an error without an id to the only request of its POST, and adds the facts. */
function withFacts(
  error: JsonRpcResponse,
  request: JsonRpcRequest,
  facts: object,
): JsonRpcResponse {
  const { code, message, data } = error.error ?? {};
  return createErrorResponse(request.id, {
    code: typeof code === 'number' ? code : ErrorCode.internalError,
    message: String(message ?? 'The runtime answered with an error'),
    data: isObject(data) ? { ...facts, ...data } : { ...facts, data },
  });
}

function parseJsonRpcError(body: Buffer): JsonRpcResponse | undefined {
  if (body.length === 0) return undefined;
  const [message] = parseMessages(body, 'server');
  return message?.kind === 'response' && message.error ? message : undefined;
}

/**
 * Returns `refused` if the call did not reach the server: AgentCore's model defines the status. For
 * a 424 the call reached the container, unless the container did not start.
 */
function getRefusalOutcome(
  status: number,
  words: string | undefined,
  { statusDescriptions }: HttpTarget,
): 'refused' | 'unknown' {
  if (status === 424) return STARTING.test(words ?? '') ? 'refused' : 'unknown';
  return status in statusDescriptions ? 'refused' : 'unknown';
}

const STARTING = /^Runtime initialization time exceeded/;

/** The explanation of an authorization failure. */
interface CallerRefusal {
  /** The method required by the server, if it differs from the caller's. */
  readonly wants?: 'iam' | 'bearer';
  readonly what: string;
  readonly todo: string;
  /** The server's message. */
  readonly detail?: string;
}

/** AgentCore's message for a wrong authorization method (source: reports of users). */
const MISMATCH = /authorization method mismatch/i;

const SET_BEARER =
  'set AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET, or AGENTCORE_TOKEN_COMMAND';

const SET_IAM = 'set AGENTCORE_AUTH to iam, and AWS_PROFILE to the profile to sign with';

/**
 * Explains a 401 or 403 beyond its status; `undefined` if there is nothing to add. Sends an
 * unauthorized request if the reply does not show the server's authorization method.
 */
async function describeAuthFailure(
  refusal: {
    readonly status: number;
    /** Name of the exception. */
    readonly name: string | undefined;
    readonly words: string | undefined;
    /** The `WWW-Authenticate` header. */
    readonly challenge: string | undefined;
  },
  context: ErrorContext,
): Promise<CallerRefusal | undefined> {
  const { status, name, words } = refusal;
  if (status !== 401 && status !== 403) return undefined;
  const { method, target } = context;
  const { noun } = target;
  const challenge = readChallenge(refusal.challenge);
  const wants = await detectRequiredMethod(refusal, context, challenge !== undefined);
  const mismatch = describeMismatch(noun, method, wants);
  if (mismatch) return mismatch;
  if (method !== 'bearer') return undefined;
  const said = challenge && (challenge.errorDescription ?? challenge.error);
  const detail = [
    challenge?.errorDescription && challenge.error,
    said ?? words ?? name,
    challenge?.scope && `it asks for the scope "${challenge.scope}"`,
  ].filter(Boolean);
  const isScope = challenge?.error === 'insufficient_scope' || challenge?.scope !== undefined;
  return {
    what: `The ${noun} did not accept the bearer token`,
    // Mask long tokens: a server may repeat the bearer token in its message.
    detail: sanitizeForTerminal(detail.join(', ')).replace(/[\w.~+/-]{60,}=*/g, '[…]'),
    todo: `${isScope ? 'check AGENTCORE_OAUTH_SCOPES, and ' : ''}check that the JWT authorizer of the ${noun} allows the issuer, audience, client and scopes of the token`,
  };
}

async function detectRequiredMethod(
  {
    status,
    name,
    words,
  }: {
    readonly status: number;
    readonly name: string | undefined;
    readonly words: string | undefined;
  },
  { method, probeMethod }: ErrorContext,
  isChallenged: boolean,
): Promise<AuthProbeResult['method']> {
  if (isChallenged) return 'bearer';
  if (MISMATCH.test(words ?? '')) return method === 'bearer' ? 'iam' : 'bearer';
  // Bearer tokens are rejected with 401. A 403 with an exception name concerns permissions of a
  // signed request.
  if (method === 'iam' && status === 403 && name !== undefined) return 'iam';
  return probeMethod();
}

function describeMismatch(
  noun: HttpTarget['noun'],
  used: Authorizer['method'],
  wanted: AuthProbeResult['method'],
): CallerRefusal | undefined {
  if (wanted === 'bearer' && used !== 'bearer') {
    const instead = used === 'iam' ? ', not IAM signatures' : '';
    return {
      wants: 'bearer',
      what: `The ${noun} takes JWT bearer tokens${instead}`,
      todo: SET_BEARER,
    };
  }
  if (wanted === 'iam' && used !== 'iam') {
    const instead = used === 'bearer' ? ', not bearer tokens' : '';
    return { wants: 'iam', what: `The ${noun} takes IAM signatures${instead}`, todo: SET_IAM };
  }
  return undefined;
}

/**
 * True if the server may have rejected an offered session id. If a server assigns its own ids, it
 * rejects others as invalid or unknown.
 */
export function isUnknownSessionError(thrown: unknown): boolean {
  const status = thrown instanceof AgentCoreError ? thrown.data?.status : undefined;
  return status === 400 || status === 404;
}

/** Like {@link isUnknownSessionError}, for a rejection by a JSON-RPC error. */
export function isUnknownSessionResponse(response: JsonRpcResponse): boolean {
  const code = response.error?.code;
  return (
    code === ErrorCode.connectionFailed ||
    code === ErrorCode.invalidRequest ||
    code === ErrorCode.unauthorized ||
    code === ErrorCode.notFound ||
    code === ErrorCode.validation
  );
}

/**
 * True for a 404 about the request's session id. In MCP 2026-07-28 an unknown method has the same
 * status, but its own code.
 */
export function isUnknownId(answer: JsonRpcResponse | AgentCoreError): boolean {
  if (answer instanceof AgentCoreError) return answer.data?.status === 404;
  return answer.httpStatus === 404 && answer.error?.code !== ErrorCode.methodNotFound;
}
