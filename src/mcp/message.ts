import { isUtf8 } from 'node:buffer';
import {
  elementsOf,
  repeatedMembers,
  spanAt,
  splice,
  withoutMember,
  withoutSpans,
} from './json-spans.ts';

/** Characters of somebody's text that a sentence repeats. */
const LONGEST_QUOTE = 100;

/** The side of a conversation that a message comes from. */
export type Sender = 'client' | 'server';

export type JsonObject = { [key: string]: unknown };

/** A request's id, as its sender wrote it. */
export interface RequestId {
  /** The JSON text, so that a 20-digit number stays what it was. */
  readonly token: string;
  /** Equal for equal ids, however they are written. */
  readonly key: string;
}

interface Sent {
  /** The JSON text of the whole message, in UTF-8 and on one line. */
  readonly bytes: Buffer;
}

export interface Request extends Sent {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface Notification extends Sent {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface Response extends Sent {
  readonly kind: 'response';
  /** `undefined` where the sender could not tell which request it answers (JSON-RPC's `null`). */
  readonly id: RequestId | undefined;
  /** What it answers with; `error` is set where the request failed. */
  readonly error: JsonObject | undefined;
  /** The HTTP status that it came with, where that was none of success. */
  readonly httpStatus?: number;
}

export type Message = Request | Notification | Response;

/** Why bytes are no message, with what a JSON-RPC peer has to be told. */
export interface MessageFault {
  readonly kind: 'fault';
  readonly code: -32700 | -32600;
  readonly reason: string;
  /** The id of the request that was meant, where that much can be told. */
  readonly id: RequestId | undefined;
  /** The id that a response was meant for, where that much can be told. */
  readonly answers?: RequestId | undefined;
}

/**
 * Reads what one line or one body holds: a message, or the messages of a batch.
 *
 * Two readers of a message must not disagree. What a client sends is therefore refused if its bytes
 * are not UTF-8, or an object has the same key twice. What a server answers is not lost for that, as
 * its work is done: it is written again with one reading, U+FFFD and the last of equal keys, so that
 * whoever reads the bytes from here on reads the same. A request of the server, and the members of
 * any message itself, are held to the strict rule. A byte order mark is left out.
 */
export function parseMessages(received: Buffer, sender: Sender): (Message | MessageFault)[] {
  let bytes = withoutByteOrderMark(received);
  if (!isUtf8(bytes)) {
    if (sender === 'client') return [fault(-32700, 'The message is not UTF-8')];
    bytes = Buffer.from(bytes.toString('utf8'), 'utf8');
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (thrown) {
    return [fault(-32700, `The message is not JSON: ${(thrown as Error).message}`)];
  }
  const line = onOneLine(bytes);
  if (!Array.isArray(value)) return [parseMessage(value, line, sender)];
  if (value.length === 0) return [fault(-32600, 'The batch is empty')];
  return elementsOf(line).map((span, index) =>
    parseMessage((value as unknown[])[index], line.subarray(span.start, span.end), sender),
  );
}

/** Editors and shells of Windows put one before what they write (RFC 8259, 8.1: it may be ignored). */
export function withoutByteOrderMark(bytes: Buffer): Buffer {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return hasMark ? bytes.subarray(3) : bytes;
}

function parseMessage(value: unknown, bytes: Buffer, sender: Sender): Message | MessageFault {
  // Some client libraries write null for params that are not set.
  const hasNull = sender === 'client' && isObject(value) && value.params === null;
  const meant = hasNull ? { ...value, params: undefined } : value;
  const message = withOneReading(toMessage(meant, bytes), sender);
  if (message.kind !== 'fault') {
    return hasNull ? { ...message, bytes: withoutMember(message.bytes, ['params']) } : message;
  }
  // Names what a faulty response was meant to answer, so that nobody has to go on waiting for it.
  if (!isObject(value) || 'method' in value) return message;
  // What servers print may have an id of their own; a client's answer cannot be told from that.
  const isAnswer = sender === 'client' || 'result' in value || 'error' in value;
  return isAnswer ? { ...message, answers: idOf(bytes) } : message;
}

function withOneReading(message: Message | MessageFault, sender: Sender): Message | MessageFault {
  if (message.kind === 'fault') return message;
  const repeated = repeatedMembers(message.bytes);
  const [first] = repeated;
  if (!first) return message;
  const isAmbiguous = repeated.some(({ depth }) => depth === 1);
  if (sender === 'server' && message.kind !== 'request' && !isAmbiguous) {
    return { ...message, bytes: withoutSpans(message.bytes, repeated) };
  }
  const key = JSON.stringify(first.key.slice(0, LONGEST_QUOTE));
  const id = message.kind === 'request' && !isAmbiguous ? message.id : undefined;
  return fault(-32600, `An object of the message has the key ${key} twice`, id);
}

const MEMBERS = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

/** Some readers of JSON, Go's among them, do not look at capitals, and the last such key counts. */
function isTakenForMember(key: string): boolean {
  return !MEMBERS.has(key) && MEMBERS.has(key.normalize('NFKC').toLowerCase());
}

function toMessage(value: unknown, bytes: Buffer): Message | MessageFault {
  if (!isObject(value)) {
    return fault(-32600, 'A message is a JSON object with "method", "result" or "error"');
  }
  const id = 'id' in value ? idOf(bytes) : undefined;
  const meant = 'method' in value ? id : undefined;
  if (value.jsonrpc !== '2.0') return fault(-32600, 'A message has "jsonrpc": "2.0"', meant);
  const odd = Object.keys(value).find(isTakenForMember);
  if (odd !== undefined) {
    const quoted = JSON.stringify(odd.slice(0, LONGEST_QUOTE));
    return fault(-32600, `The message has ${quoted}, which some take for another member`, meant);
  }
  if ('id' in value && !id && !(value.id === null && 'error' in value)) {
    return fault(-32600, 'An id is a string or a number');
  }
  if ('method' in value) {
    if ('result' in value || 'error' in value) {
      return fault(-32600, 'A message is a request or a response, not both', meant);
    }
    const { method, params } = value;
    if (typeof method !== 'string') return fault(-32600, 'A method is a string', meant);
    if (params !== undefined && !isObject(params)) {
      return fault(-32600, 'The params of an MCP message are an object', meant);
    }
    return id
      ? { kind: 'request', id, method, params, bytes }
      : { kind: 'notification', method, params, bytes };
  }
  if ('result' in value === 'error' in value || ('result' in value && !id)) {
    return fault(-32600, 'A response has an id and either "result" or "error"');
  }
  if ('error' in value && !isObject(value.error)) return fault(-32600, 'An error is an object');
  return { kind: 'response', id, error: value.error as JsonObject | undefined, bytes };
}

/** The id that a JSON text is; `undefined` where it is neither a string nor a number. */
export function toRequestId(token: string): RequestId | undefined {
  const value: unknown = JSON.parse(token);
  if (typeof value === 'string') return { token, key: JSON.stringify(value) };
  if (typeof value !== 'number') return undefined;
  return { token, key: Number.isSafeInteger(value) ? String(value) : token };
}

function idOf(bytes: Buffer): RequestId | undefined {
  const token = tokenAt(bytes, ['id']);
  return token === undefined ? undefined : toRequestId(token);
}

/** The same for `"2"` and `2`, which a server confuses that keeps ids as text. */
export function untyped({ key }: RequestId): string {
  return key.startsWith('"') ? (JSON.parse(key) as string) : key;
}

/** The id under which this side sends a request of its own. */
export function numericId(number: number): RequestId {
  const token = String(number);
  return { token, key: token };
}

/**
 * The id that a member of the params names (such as `requestId` of `notifications/cancelled`), or
 * the same for a progress token.
 */
export function idAt(message: Message, path: readonly string[]): RequestId | undefined {
  const token = tokenAt(message.bytes, path);
  return token === undefined ? undefined : toRequestId(token);
}

/** The same message under another id; all its other bytes stay. */
export function withId<M extends Request | Response>(message: M, id: RequestId): M {
  if (message.id?.token === id.token) return message;
  const span = spanAt(message.bytes, ['id']);
  if (span) return { ...message, id, bytes: splice(message.bytes, span, id.token) };
  // Only an error may come without one (MCP 2025-11-25): it goes in front of the first member.
  const start = message.bytes.indexOf('{') + 1;
  return {
    ...message,
    id,
    bytes: splice(message.bytes, { start, end: start }, `"id":${id.token},`),
  };
}

/** The same message with another JSON text where `path` leads; all its other bytes stay. */
export function withTokenAt<M extends Message>(message: M, path: string[], token: string): M {
  const span = spanAt(message.bytes, path);
  if (!span) return message;
  const bytes = splice(message.bytes, span, token);
  if (message.kind === 'response') return { ...message, bytes };
  return { ...message, bytes, params: (JSON.parse(bytes.toString('utf8')) as JsonObject).params };
}

/** The result of a response as a value; `undefined` for an error. */
export function resultOf(response: Response): unknown {
  return (JSON.parse(response.bytes.toString('utf8')) as JsonObject).result;
}

export function makeRequest(id: RequestId, method: string, params?: JsonObject): Request {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id.token},"method":${JSON.stringify(method)}${paramsText(params)}}`,
  );
  return { kind: 'request', id, method, params, bytes };
}

export function makeNotification(method: string, params?: JsonObject): Notification {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${paramsText(params)}}`,
  );
  return { kind: 'notification', method, params, bytes };
}

export function makeError(
  id: RequestId | undefined,
  error: { code: number; message: string; data?: unknown },
): Response {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id?.token ?? 'null'},"error":${JSON.stringify(error)}}`,
  );
  return { kind: 'response', id, error, bytes };
}

function paramsText(params: JsonObject | undefined): string {
  return params ? `,"params":${JSON.stringify(params)}` : '';
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function tokenAt(bytes: Buffer, path: readonly string[]): string | undefined {
  const span = spanAt(bytes, path);
  return span && bytes.toString('utf8', span.start, span.end);
}

/** JSON allows line ends between its tokens only; as spaces there they mean the same. */
function onOneLine(bytes: Buffer): Buffer {
  if (!bytes.includes(0x0a) && !bytes.includes(0x0d)) return bytes;
  const line = Buffer.from(bytes);
  for (let at = 0; at < line.length; at++) {
    if (line[at] === 0x0a || line[at] === 0x0d) line[at] = 0x20;
  }
  return line;
}

function fault(code: -32700 | -32600, reason: string, id?: RequestId): MessageFault {
  return { kind: 'fault', code, reason, id };
}
