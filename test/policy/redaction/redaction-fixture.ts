import { Redactor, type RequestInfo } from '../../../src/policy/redaction/redactor.ts';
import type { RedactionRules } from '../../../src/redaction/rules.ts';
import { MemoryVault, type Vault } from '../../../src/redaction/tokens.ts';

const SALT = Buffer.from('a salt of the tests, 32 bytes ok');

export function redactorOf(
  rules: RedactionRules | readonly RedactionRules[] = {},
  vault: Vault = new MemoryVault(),
): Promise<Redactor> {
  return Redactor.create({ rules: [rules].flat(), vault, salt: SALT });
}

/** The arguments of a call as the server receives them. */
export async function sent(
  redactor: Redactor,
  value: unknown,
  about: RequestInfo = { method: 'tools/call', tool: 'tool' },
): Promise<unknown> {
  const { json } = await redactor.toServer(callText(value), about);
  return JSON.parse(json).params.arguments;
}

/** The server's result as the client receives it. */
export async function received(
  redactor: Redactor,
  value: unknown,
  about: RequestInfo = { method: 'tools/call', tool: 'tool' },
): Promise<unknown> {
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { structuredContent: value } });
  const { json } = await redactor.toClient(text, about);
  return JSON.parse(json).result.structuredContent;
}

export function callText(value: unknown): string {
  const params = { name: 'tool', arguments: value };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
}
