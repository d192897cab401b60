import type { HttpReply } from '../http/post.ts';

/** The facts of an error reply that are common to all AWS services. */
interface ErrorReply {
  /** The start of the body. */
  readonly body: Buffer;
  /** The exception's name. An MCP runtime does not send it, so the message text is used. */
  readonly name: string | undefined;
  /**
   * First line of the error message, up to 500 characters; `undefined` if the body is an HTML page.
   * Further lines may repeat the signed content, including the session token.
   */
  readonly words: string | undefined;
  /** In seconds. */
  readonly retryAfter: number | undefined;
  readonly requestId: string | undefined;
}

/** Maximum bytes of an error body to parse. */
const MAX_BODY_BYTES = 64 * 1024;

const MAX_WORDS_LENGTH = 500;

/** Members with the message in AgentCore, OAuth and web frameworks. */
const MESSAGE_MEMBERS = ['message', 'Message', 'error_description', 'detail', 'error'];

const EXPIRED = /security token .*expired/i;

/** Reads an error reply. Never rejects: the status is known, and a truncated body adds nothing. */
export async function readErrorReply(reply: HttpReply): Promise<ErrorReply> {
  const body = await readStart(reply);
  const members = parseMembers(body);
  const words = readErrorMessage(reply, body, members);
  return {
    body,
    name: readErrorName(reply, members, words),
    words,
    retryAfter: parseRetryAfter(getHeader(reply, 'retry-after')),
    requestId: getHeader(reply, 'x-amzn-requestid'),
  };
}

/** The first value of a header. */
export function getHeader({ headers }: HttpReply, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Parses `Retry-After` to seconds. It may be a date (RFC 9110, 10.2.3). */
export function parseRetryAfter(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

async function readStart(reply: HttpReply): Promise<Buffer> {
  try {
    return (await reply.whole(MAX_BODY_BYTES)).subarray(0, MAX_BODY_BYTES);
  } catch {
    return Buffer.alloc(0);
  }
}

type Members = Readonly<Record<string, unknown>>;

/** The members of a JSON object, or of the first one in an array. */
function parseMembers(body: Buffer): Members {
  try {
    const [first]: unknown[] = [JSON.parse(body.toString('utf8'))].flat();
    return typeof first === 'object' && first !== null ? (first as Members) : {};
  } catch {
    return {};
  }
}

function readErrorMessage(reply: HttpReply, body: Buffer, members: Members): string | undefined {
  const { error } = members;
  const ofJsonRpc = typeof error === 'object' && error !== null && (error as Members).message;
  const isText = getHeader(reply, 'content-type')?.startsWith('text/plain');
  const words =
    MESSAGE_MEMBERS.map((name) => members[name]).find((value) => typeof value === 'string') ??
    (ofJsonRpc || (isText ? body.toString('utf8').trim() : ''));
  if (typeof words !== 'string' || words === '') return undefined;
  return words.split('\n', 1)[0]?.slice(0, MAX_WORDS_LENGTH);
}

function readErrorName(
  reply: HttpReply,
  { __type }: Members,
  words: string | undefined,
): string | undefined {
  const type = getHeader(reply, 'x-amzn-errortype') ?? __type;
  if (typeof type === 'string') return type.split(':')[0]?.split('#').at(-1);
  return EXPIRED.test(words ?? '') ? 'ExpiredTokenException' : undefined;
}
