import { getHeader, readErrorReply } from '../../aws/error-reply.ts';
import type { HttpReply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import {
  createErrorResponse,
  isObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
} from '../../mcp/message.ts';
import { findPlatformError } from '../../mcp/platform-errors.ts';
import { type Caller, describeAuthFailure } from './caller-refusal.ts';

/** The meaning of an HTTP status, and the user's next step. */
export interface StatusDescription {
  readonly code: number;
  readonly what: string;
  readonly todo: string;
}

/** Context for describing error replies: server and caller. */
export interface ErrorContext extends Caller {
  /** Facts about the server, for the error's data. */
  readonly facts: Readonly<Record<string, string>>;
  readonly meanings: Readonly<Record<number, StatusDescription>>;
  /** The header with the session id in replies of a microVM; a gateway has none. */
  readonly sessionHeader?: string;
}

/** Errors with a more exact name than their status (AWS "Common Errors"). */
const NAMED: Readonly<Record<string, Pick<StatusDescription, 'what' | 'todo'>>> = {
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
 * @throws {AgentCoreError} `upstream` with the cause, in all other cases.
 */
export async function describeErrorReply(
  reply: HttpReply,
  request: JsonRpcRequest | undefined,
  refusals: ErrorContext,
): Promise<JsonRpcResponse> {
  const { body, name, words, retryAfter, requestId } = await readErrorReply(reply);
  const error = parseJsonRpcError(body);
  const isOfServer = isFromMicroVm(reply, error?.error, refusals);
  const facts = {
    name,
    status: reply.status,
    outcome: getRefusalOutcome(reply.status, words, refusals),
    retryAfter,
    requestId,
    ...(isOfServer && { source: 'server' }),
    ...refusals.facts,
  };
  // The body of AgentCore's own 401 and 403 is less exact than our description.
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
        refusals,
      );
  const meaning = isOfServer
    ? OF_SERVER
    : { ...getStatusDescription(reply.status, refusals), ...NAMED[facts.name ?? ''], ...ofCaller };
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

/** For a reply of the MCP server in the microVM. The server's message contains the cause. */
const OF_SERVER: StatusDescription = {
  code: ErrorCode.internalError,
  what: 'The MCP server in the runtime refused the request',
  todo: "check the server's settings and its CloudWatch logs",
};

/**
 * True for a reply of the MCP server in a microVM. AgentCore is not known to send a session id with
 * its own errors. If it does, its error type or its documented text identifies it.
 */
function isFromMicroVm(
  reply: HttpReply,
  error: JsonRpcResponse['error'],
  { sessionHeader }: ErrorContext,
): boolean {
  if (sessionHeader === undefined || getHeader(reply, 'x-amzn-errortype') !== undefined)
    return false;
  if (error && findPlatformError(error)) return false;
  if (getHeader(reply, sessionHeader)) return true;
  // Without a session id, a 401 or 403 is AgentCore's unless AgentCore never uses its code.
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

function getStatusDescription(status: number, { meanings }: ErrorContext): StatusDescription {
  return (
    meanings[status] ?? {
      code: ErrorCode.internalError,
      what: status >= 500 ? 'AgentCore failed' : 'AgentCore answered with an unexpected status',
      todo:
        status >= 500
          ? 'whether the call took effect is unknown; try again if repeating it does no harm'
          : 'check the endpoint, and the proxy between if there is one',
    }
  );
}

/** An error without an id answers the only request of its POST. */
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
 * Whether the call may have taken effect. If AgentCore's model defines the status, the call never
 * reached the server. A 424 did reach it, unless the text concerns the container's start.
 */
function getRefusalOutcome(
  status: number,
  words: string | undefined,
  { meanings }: ErrorContext,
): 'refused' | 'unknown' {
  if (status === 424) return STARTING.test(words ?? '') ? 'refused' : 'unknown';
  return status in meanings ? 'refused' : 'unknown';
}

const STARTING = /^Runtime initialization time exceeded/;
