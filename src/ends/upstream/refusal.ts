import { headerOf, readErrorReply } from '../../aws/error-reply.ts';
import type { Reply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import {
  isObject,
  makeError,
  parseMessages,
  type Request,
  type Response,
} from '../../mcp/message.ts';
import { platformError } from '../../mcp/platform-errors.ts';
import { type Caller, callerRefusal } from './caller-refusal.ts';

/** The meaning of an HTTP status, and the user's next step. */
export interface Meaning {
  readonly code: number;
  readonly what: string;
  readonly todo: string;
}

/** Context for describing error replies: server and caller. */
export interface Refusals extends Caller {
  /** Facts about the server, for the error's data. */
  readonly facts: Readonly<Record<string, string>>;
  readonly meanings: Readonly<Record<number, Meaning>>;
  /** The header with the session id in replies of a microVM; a gateway has none. */
  readonly sessionHeader?: string;
}

/** Errors with a more exact name than their status (AWS "Common Errors"). */
const NAMED: Readonly<Record<string, Pick<Meaning, 'what' | 'todo'>>> = {
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
export async function readRefusal(
  reply: Reply,
  request: Request | undefined,
  refusals: Refusals,
): Promise<Response> {
  const { body, name, words, retryAfter, requestId } = await readErrorReply(reply);
  const error = jsonRpcError(body);
  const isOfServer = isFromMicroVm(reply, error?.error, refusals);
  const facts = {
    name,
    status: reply.status,
    outcome: outcomeOf(reply.status, words, refusals),
    retryAfter,
    requestId,
    ...(isOfServer && { source: 'server' }),
    ...refusals.facts,
  };
  // The body of AgentCore's own 401 and 403 is less exact than our description.
  const own = isOfServer || !isOfCaller(reply.status) ? error : undefined;
  if (own && request) {
    const httpStatus = reply.status;
    if (own.id?.key === request.id.key) return { ...own, httpStatus };
    if (!own.id) return { ...withFacts(own, request, facts), httpStatus };
  }
  const ofCaller = isOfServer
    ? undefined
    : await callerRefusal(
        { ...facts, words, challenge: headerOf(reply, 'www-authenticate') },
        refusals,
      );
  const meaning = isOfServer
    ? OF_SERVER
    : { ...meaningOf(reply.status, refusals), ...NAMED[facts.name ?? ''], ...ofCaller };
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
const OF_SERVER: Meaning = {
  code: ErrorCode.internalError,
  what: 'The MCP server in the runtime refused the request',
  todo: "check the server's settings and its CloudWatch logs",
};

/**
 * True for a reply of the MCP server in a microVM. AgentCore is not known to send a session id with
 * its own errors. If it does, its error type or its documented text identifies it.
 */
function isFromMicroVm(
  reply: Reply,
  error: Response['error'],
  { sessionHeader }: Refusals,
): boolean {
  if (sessionHeader === undefined || headerOf(reply, 'x-amzn-errortype') !== undefined)
    return false;
  if (error && platformError(error)) return false;
  if (headerOf(reply, sessionHeader)) return true;
  // Without a session id, a 401 or 403 is AgentCore's unless AgentCore never uses its code.
  const { code } = error ?? { code: ErrorCode.unauthorized };
  return (
    isOfCaller(reply.status) && code !== ErrorCode.unauthorized && code !== ErrorCode.accessDenied
  );
}

function isOfCaller(status: number): boolean {
  return status === 401 || status === 403;
}

function meaningOf(status: number, { meanings }: Refusals): Meaning {
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
function withFacts(error: Response, request: Request, facts: object): Response {
  const { code, message, data } = error.error ?? {};
  return makeError(request.id, {
    code: typeof code === 'number' ? code : ErrorCode.internalError,
    message: String(message ?? 'The runtime answered with an error'),
    data: isObject(data) ? { ...facts, ...data } : { ...facts, data },
  });
}

function jsonRpcError(body: Buffer): Response | undefined {
  if (body.length === 0) return undefined;
  const [message] = parseMessages(body, 'server');
  return message?.kind === 'response' && message.error ? message : undefined;
}

/**
 * Whether the call may have taken effect. If AgentCore's model defines the status, the call never
 * reached the server. A 424 did reach it, unless the text concerns the container's start.
 */
function outcomeOf(
  status: number,
  words: string | undefined,
  { meanings }: Refusals,
): 'refused' | 'unknown' {
  if (status === 424) return STARTING.test(words ?? '') ? 'refused' : 'unknown';
  return status in meanings ? 'refused' : 'unknown';
}

const STARTING = /^Runtime initialization time exceeded/;
