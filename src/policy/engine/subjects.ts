import { isObject, type JsonObject } from '../../mcp/message.ts';
import type { SubjectKind } from '../../mcp/protocol.ts';
import { squashName } from '../documents/name-pattern.ts';
import type { Subject } from './decision.ts';

/**
 * The subjects of messages: tool, prompt and resource names, their equivalent forms, and methods of
 * MCP.
 */

type Subjects =
  | { readonly subjects: readonly Subject[]; readonly arguments: JsonObject }
  /** The reason if the subject is ambiguous, as the end of a sentence. */
  | { readonly fault: string };

/** Keys of params that identify the subject of a message, by method. */
const SUBJECT_KEYS: Readonly<Record<string, readonly string[]>> = {
  'tools/call': ['name', 'arguments'],
  'prompts/get': ['name', 'arguments'],
  'resources/read': ['uri'],
  'resources/subscribe': ['uri'],
  'resources/unsubscribe': ['uri'],
  'completion/complete': ['ref'],
  'subscriptions/listen': ['notifications'],
};

/** Maximum subjects of one message. */
const MAX_SUBJECTS = 1_000;

/**
 * Returns the subjects of a client message. An ambiguous message is a fault, because the server
 * might find another subject.
 */
export function getSubjects(method: string, params: JsonObject): Subjects {
  const ref = isObject(params.ref) ? params.ref : {};
  const odd =
    findSimilarKey(Object.keys(params), SUBJECT_KEYS[method] ?? []) ??
    (method === 'completion/complete'
      ? findSimilarKey(Object.keys(ref), ['type', 'name', 'uri'])
      : undefined);
  if (odd !== undefined) {
    return {
      fault: `it has ${JSON.stringify(odd.slice(0, 100))}, which some take for another key`,
    };
  }
  switch (method) {
    case 'tools/call':
      return createNamedSubjects('tool', params);
    case 'prompts/get':
      return createNamedSubjects('prompt', params);
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return createSubjects('resource', [params.uri], params);
    case 'completion/complete': {
      if (ref.type === 'ref/prompt') return createSubjects('prompt', [ref.name], params);
      if (ref.type === 'ref/resource') return createSubjects('resource', [ref.uri], params);
      return { fault: 'its "ref" names neither a prompt nor a resource' };
    }
    case 'subscriptions/listen': {
      const wanted = isObject(params.notifications) ? params.notifications : {};
      // Take the lists under all keys: they contain URIs.
      return createSubjects('resource', Object.values(wanted).filter(Array.isArray).flat(), params);
    }
    default:
      return { subjects: [], arguments: params };
  }
}

/**
 * Finds a key that is similar but not equal to one of `wanted`. Lenient parsers ignore case,
 * separators and invisible characters.
 */
export function findSimilarKey(
  keys: readonly string[],
  wanted: readonly string[],
): string | undefined {
  const taken = wanted.map(squashName);
  return keys.find((key) => !wanted.includes(key) && taken.includes(squashName(key)));
}

function createNamedSubjects(kind: SubjectKind, params: JsonObject): Subjects {
  const args = params.arguments ?? {};
  if (!isObject(args)) return { fault: 'its "arguments" are no object' };
  return createSubjects(kind, [params.name], args);
}

function createSubjects(kind: SubjectKind, names: readonly unknown[], args: JsonObject): Subjects {
  if (names.length > MAX_SUBJECTS) return { fault: `it names more than ${MAX_SUBJECTS} things` };
  if (!names.every((name) => typeof name === 'string' && name !== '')) {
    return { fault: `it does not say which ${kind} it means` };
  }
  return { subjects: names.map((name) => ({ kind, name: String(name) })), arguments: args };
}

/** True if a name consists of visible ASCII characters. It cannot be confused with another name. */
export function isPlainName(name: string): boolean {
  return /^[\x21-\x7e]+$/.test(name);
}

/** Returns the equivalent forms of a name. One URI can be written in several ways. */
export function getSubjectNames({ kind, name }: Subject): readonly string[] {
  if (kind !== 'resource') return [name];
  // Remove invisible characters: they could hide the path from a rule.
  const names = new Set([name, name.replace(/[\p{Cf}\p{Cc}]/gu, '')]);
  let decoded = [...names].at(-1) as string;
  // Decode twice: most servers decode once, some twice.
  for (let times = 0; times < 2; times++) {
    decoded = decodePercent(decoded);
    names.add(decoded);
  }
  for (const one of [...names]) {
    if (!URL.canParse(one)) continue;
    const { protocol, host, pathname, search, hash } = new URL(one);
    const path = decodePercent(pathname).replace(/\/{2,}/g, '/');
    // Remove the host of a file URI: it may be a name of this machine.
    names.add(`${protocol}//${protocol === 'file:' ? '' : host}${path}${search}${hash}`);
    names.add(decodePercent(new URL(one).href));
  }
  return [...names];
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Every method of MCP up to 2026-07-28, for clients and servers. */
const KNOWN_METHODS = new Set([
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
  'tasks/update',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/message',
  'notifications/roots/list_changed',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/elicitation/complete',
  'notifications/subscriptions/acknowledged',
  'notifications/tasks',
  'notifications/tasks/status',
]);

const SKELETONS = new Set([...KNOWN_METHODS].map(squashName));

export function isKnownMethod(method: string): boolean {
  return KNOWN_METHODS.has(method);
}

/**
 * True if a lenient server may treat an unknown method as an MCP method. They differ only in case,
 * width, white space or separators.
 */
export function resemblesKnownMethod(method: string): boolean {
  return !KNOWN_METHODS.has(method) && SKELETONS.has(squashName(method));
}
