import { randomBytes } from 'node:crypto';
import { createRequestStateCodec } from '@modelcontextprotocol/server';

/**
 * Signs what a tool has to remember between the rounds of its questions. The key lives as long as
 * the process, so a client whose rounds reach different microVMs is found out.
 */
export const requestStates = createRequestStateCodec<string>({ key: randomBytes(32) });
