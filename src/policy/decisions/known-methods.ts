import { squashName } from '../documents/name-pattern.ts';

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
 * True if a lenient server may treat an unknown method as an MCP method: case, width, white space
 * or separators differ.
 */
export function resemblesKnownMethod(method: string): boolean {
  return !KNOWN_METHODS.has(method) && SKELETONS.has(squashName(method));
}
