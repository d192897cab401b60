import { isUtf8 } from 'node:buffer';
import { runSynchronously, type Sliced, yieldToEventLoop } from '../base/async.ts';
import { MAX_LENGTH_AT_ONCE, type ParsedJson, parseJson } from '../base/json-parser.ts';
import {
  findElements,
  findRepeatedMembers,
  findSpanAt,
  splice,
  withoutMember,
  withoutSpans,
} from './json-spans.ts';

/**
 * MCP messages: parsing, creation, and edits. A message keeps the bytes as received. An edit
 * changes only the affected bytes.
 */

/** Maximum characters of foreign text in an error message. */
const MAX_QUOTE_LENGTH = 100;

/** The sending side. */
export type Sender = 'client' | 'server';

export type JsonObject = { [key: string]: unknown };

/** A request id as its sender wrote it. */
export interface RequestId {
  /** The JSON text: large numbers keep all their digits. */
  readonly token: string;
  /** Equal for equal ids, independent of their notation. */
  readonly key: string;
}

interface Sent {
  /** JSON text of the whole message, in UTF-8 and on one line. */
  readonly bytes: Buffer;
}

export interface JsonRpcRequest extends Sent {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface JsonRpcNotification extends Sent {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface JsonRpcResponse extends Sent {
  readonly kind: 'response';
  /** `undefined` if the sender could not identify the request (JSON-RPC `null`). */
  readonly id: RequestId | undefined;
  /** The error; `undefined` if the request succeeded. */
  readonly error: JsonObject | undefined;
  /** HTTP status of the response, if it was not a success. */
  readonly httpStatus?: number;
}

export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** The reason why bytes are not a valid message, for the error response. */
export interface InvalidMessage {
  readonly kind: 'fault';
  readonly code: -32700 | -32600;
  readonly reason: string;
  /** Id of the request, if it could be read. */
  readonly id: RequestId | undefined;
  /** Id of the answered request if the fault is in a response and the id could be read. */
  readonly answers?: RequestId | undefined;
}

/**
 * Parses a line or a body with one message or a batch. Pauses within a large message. Removes a
 * byte order mark.
 *
 * All readers of a message must see the same content. A client's message is therefore rejected if
 * it is not UTF-8 or if an object has duplicate keys. The rule for keys also applies to a server's
 * requests, and to the top-level members of every message. Other messages of a server are not
 * rejected, because the work is done. They are rewritten with U+FFFD and the last duplicate key.
 */
export function* readMessages(
  received: Buffer | string,
  sender: Sender,
): Sliced<(JsonRpcMessage | InvalidMessage)[]> {
  // Collecting a large message has taken part of this turn already.
  if (received.length > MAX_LENGTH_AT_ONCE) yield yieldToEventLoop;
  let bytes: Buffer;
  let text: string;
  if (typeof received === 'string') {
    text = received.startsWith(BYTE_ORDER_MARK) ? received.slice(1) : received;
    bytes = Buffer.from(text, 'utf8');
  } else {
    bytes = withoutByteOrderMark(received);
    const isValid = isUtf8(bytes);
    if (!isValid && sender === 'client')
      return [createInvalidMessage(-32700, 'The message is not UTF-8')];
    text = bytes.toString('utf8');
    if (!isValid) bytes = Buffer.from(text, 'utf8');
  }
  yield;
  let parsed: ParsedJson;
  try {
    parsed = yield* parseJson(text);
  } catch (thrown) {
    return [createInvalidMessage(-32700, `The message is not JSON: ${(thrown as Error).message}`)];
  }
  const { value, mayRepeatKeys } = parsed;
  const line = replaceLineEnds(bytes);
  yield;
  if (!Array.isArray(value)) return [yield* readMessage(value, line, sender, mayRepeatKeys)];
  if (value.length === 0) return [createInvalidMessage(-32600, 'The batch is empty')];
  const messages: (JsonRpcMessage | InvalidMessage)[] = [];
  for (const { start, end } of findElements(line)) {
    const element: unknown = value[messages.length];
    const span = line.subarray(start, end);
    messages.push(yield* readMessage(element, span, sender, mayRepeatKeys));
    yield;
  }
  return messages;
}

const BYTE_ORDER_MARK = '\ufeff';

/** Like {@link readMessages}, but without pauses. For small messages. */
export function parseMessages(
  received: Buffer,
  sender: Sender,
): (JsonRpcMessage | InvalidMessage)[] {
  return runSynchronously(readMessages(received, sender));
}

/** Removes a byte order mark, as some Windows programs write. RFC 8259, 8.1 allows this. */
export function withoutByteOrderMark(bytes: Buffer): Buffer {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return hasMark ? bytes.subarray(3) : bytes;
}

function* readMessage(
  value: unknown,
  bytes: Buffer,
  sender: Sender,
  mayRepeatKeys: boolean,
): Sliced<JsonRpcMessage | InvalidMessage> {
  // Some client libraries send `null` for absent params.
  const hasNull = sender === 'client' && isObject(value) && value.params === null;
  const meant = hasNull ? { ...value, params: undefined } : value;
  const read = toMessage(meant, bytes);
  const message = mayRepeatKeys ? yield* withOneReading(read, sender) : read;
  if (message.kind !== 'fault') {
    return hasNull ? { ...message, bytes: withoutMember(message.bytes, ['params']) } : message;
  }
  // Identify the request of an invalid response. Otherwise, its sender would wait forever.
  if (!isObject(value) || 'method' in value) return message;
  // Other JSON output of a server may contain an id too. Output of a client with an id counts as a
  // response.
  const isAnswer = sender === 'client' || 'result' in value || 'error' in value;
  return isAnswer ? { ...message, answers: readId(bytes) } : message;
}

function* withOneReading(
  message: JsonRpcMessage | InvalidMessage,
  sender: Sender,
): Sliced<JsonRpcMessage | InvalidMessage> {
  if (message.kind === 'fault') return message;
  const repeated = yield* findRepeatedMembers(message.bytes);
  const [first] = repeated;
  if (!first) return message;
  const isAmbiguous = repeated.some(({ depth }) => depth === 1);
  if (sender === 'server' && message.kind !== 'request' && !isAmbiguous) {
    return { ...message, bytes: withoutSpans(message.bytes, repeated) };
  }
  const key = JSON.stringify(first.key.slice(0, MAX_QUOTE_LENGTH));
  const id = message.kind === 'request' && !isAmbiguous ? message.id : undefined;
  return createInvalidMessage(-32600, `An object of the message has the key ${key} twice`, id);
}

const MEMBERS = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

/** Some JSON parsers, such as Go's, ignore the case of keys, and the last match wins. */
function isTakenForMember(key: string): boolean {
  return !MEMBERS.has(key) && MEMBERS.has(key.normalize('NFKC').toLowerCase());
}

function toMessage(value: unknown, bytes: Buffer): JsonRpcMessage | InvalidMessage {
  if (!isObject(value)) {
    return createInvalidMessage(
      -32600,
      'A message is a JSON object with "method", "result" or "error"',
    );
  }
  const id = 'id' in value ? readId(bytes) : undefined;
  const meant = 'method' in value ? id : undefined;
  if (value.jsonrpc !== '2.0')
    return createInvalidMessage(-32600, 'A message has "jsonrpc": "2.0"', meant);
  const odd = Object.keys(value).find(isTakenForMember);
  if (odd !== undefined) {
    const quoted = JSON.stringify(odd.slice(0, MAX_QUOTE_LENGTH));
    return createInvalidMessage(
      -32600,
      `The message has ${quoted}, which some take for another member`,
      meant,
    );
  }
  if ('id' in value && !id && !(value.id === null && 'error' in value)) {
    return createInvalidMessage(-32600, 'An id is a string or a number');
  }
  if ('method' in value) {
    if ('result' in value || 'error' in value) {
      return createInvalidMessage(-32600, 'A message is a request or a response, not both', meant);
    }
    const { method, params } = value;
    if (typeof method !== 'string')
      return createInvalidMessage(-32600, 'A method is a string', meant);
    if (params !== undefined && !isObject(params)) {
      return createInvalidMessage(-32600, 'The params of an MCP message are an object', meant);
    }
    return id
      ? { kind: 'request', id, method, params, bytes }
      : { kind: 'notification', method, params, bytes };
  }
  if ('result' in value === 'error' in value || ('result' in value && !id)) {
    return createInvalidMessage(-32600, 'A response has an id and either "result" or "error"');
  }
  if ('error' in value && !isObject(value.error))
    return createInvalidMessage(-32600, 'An error is an object');
  return { kind: 'response', id, error: value.error as JsonObject | undefined, bytes };
}

/** Parses the JSON text of an id; `undefined` if it is neither a string nor a number. */
export function toRequestId(token: string): RequestId | undefined {
  const value: unknown = JSON.parse(token);
  if (typeof value === 'string') return { token, key: JSON.stringify(value) };
  if (typeof value !== 'number') return undefined;
  return { token, key: Number.isSafeInteger(value) ? String(value) : token };
}

function readId(bytes: Buffer): RequestId | undefined {
  const token = readTokenAt(bytes, ['id']);
  return token === undefined ? undefined : toRequestId(token);
}

/** Returns the same text for `"2"` and `2`, because some servers return numeric ids as strings. */
export function getUntypedId({ key }: RequestId): string {
  return key.startsWith('"') ? (JSON.parse(key) as string) : key;
}

/** Creates an id for a request of the proxy. */
export function createRequestId(number: number): RequestId {
  const token = String(number);
  return { token, key: token };
}

/**
 * Reads an id or a progress token at a path of keys, such as `requestId` in the params of
 * `notifications/cancelled`.
 */
export function readIdAt(message: JsonRpcMessage, path: readonly string[]): RequestId | undefined {
  const token = readTokenAt(message.bytes, path);
  return token === undefined ? undefined : toRequestId(token);
}

/** Replaces the id and keeps all other bytes. */
export function withId<M extends JsonRpcRequest | JsonRpcResponse>(message: M, id: RequestId): M {
  if (message.id?.token === id.token) return message;
  const span = findSpanAt(message.bytes, ['id']);
  if (span) return { ...message, id, bytes: splice(message.bytes, span, id.token) };
  // Only an error may lack an id (MCP 2025-11-25). Insert it before the first member.
  const start = message.bytes.indexOf('{') + 1;
  return {
    ...message,
    id,
    bytes: splice(message.bytes, { start, end: start }, `"id":${id.token},`),
  };
}

/** Replaces the JSON text at `path` and keeps all other bytes. */
export function replaceValueAt<M extends JsonRpcMessage>(
  message: M,
  path: readonly string[],
  token: string,
): M {
  const span = findSpanAt(message.bytes, path);
  if (!span) return message;
  const bytes = splice(message.bytes, span, token);
  if (message.kind === 'response') return { ...message, bytes };
  const { params } = withValueAt({ params: message.params }, path, JSON.parse(token)) as {
    params: JsonObject;
  };
  return { ...message, bytes, params };
}

/** Copies only the objects on the path, because the other members may be large. */
function withValueAt(value: unknown, [key, ...rest]: readonly string[], next: unknown): unknown {
  if (key === undefined) return next;
  const object = value as JsonObject;
  return { ...object, [key]: withValueAt(object[key], rest, next) };
}

/** The parsed result of a response; `undefined` for an error. */
export function parseResult(response: JsonRpcResponse): unknown {
  return (JSON.parse(response.bytes.toString('utf8')) as JsonObject).result;
}

export function createRequest(id: RequestId, method: string, params?: JsonObject): JsonRpcRequest {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id.token},"method":${JSON.stringify(method)}${serializeParams(params)}}`,
  );
  return { kind: 'request', id, method, params, bytes };
}

export function createNotification(method: string, params?: JsonObject): JsonRpcNotification {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${serializeParams(params)}}`,
  );
  return { kind: 'notification', method, params, bytes };
}

/** @param id `undefined` if the request could not be identified. It is then sent as `null`. */
export function createErrorResponse(
  id: RequestId | undefined,
  error: { code: number; message: string; data?: unknown },
): JsonRpcResponse {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id?.token ?? 'null'},"error":${JSON.stringify(error)}}`,
  );
  return { kind: 'response', id, error, bytes };
}

function serializeParams(params: JsonObject | undefined): string {
  return params ? `,"params":${JSON.stringify(params)}` : '';
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readTokenAt(bytes: Buffer, path: readonly string[]): string | undefined {
  const span = findSpanAt(bytes, path);
  return span && bytes.toString('utf8', span.start, span.end);
}

/** JSON allows line ends only between tokens, so spaces have the same meaning. */
function replaceLineEnds(bytes: Buffer): Buffer {
  if (!bytes.includes(0x0a) && !bytes.includes(0x0d)) return bytes;
  const line = Buffer.from(bytes);
  for (let at = 0; at < line.length; at++) {
    if (line[at] === 0x0a || line[at] === 0x0d) line[at] = 0x20;
  }
  return line;
}

function createInvalidMessage(
  code: -32700 | -32600,
  reason: string,
  id?: RequestId,
): InvalidMessage {
  return { kind: 'fault', code, reason, id };
}

/**
 * Error codes of JSON-RPC, of MCP, and of AgentCore's MCP runtimes (source: "MCP protocol contract"
 * of the AgentCore developer guide). A code alone does not identify an AgentCore error: the MCP
 * server may use the same numbers.
 */
export const ErrorCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Free for implementations in JSON-RPC. The proxy uses it if a connection failed. */
  connectionFailed: -32000,
  unauthorized: -32001,
  accessDenied: -32002,
  throttled: -32003,
  notFound: -32004,
  conflict: -32005,
  validation: -32006,
  containerFailed: -32010,
  notAcceptable: -32011,
  /** MCP 2026-07-28: a header contradicts the body. */
  headerMismatch: -32020,
} as const;
