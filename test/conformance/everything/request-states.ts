import { randomBytes } from 'node:crypto';
import { createRequestStateCodec } from '@modelcontextprotocol/server';

/**
 * Signs the state of a tool between rounds. The key lives as long as the process, so a client whose
 * rounds reach different microVMs is detected.
 */
export const requestStates = createRequestStateCodec<string>({ key: randomBytes(32) });
