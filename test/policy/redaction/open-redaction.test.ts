import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type JsonRpcResponse, parseResult } from '../../../src/mcp/message.ts';
import {
  openRedaction,
  type RedactionOptions,
} from '../../../src/policy/redaction/redaction-interceptor.ts';
import { applyInterceptors } from '../../../src/relay/peer.ts';
import {
  exchangeWith,
  requestOf,
  resultFor,
  ScriptedServer,
} from '../../recovery/scripted-peers.ts';
import { openStore, temporaryFolder } from '../../state/journal/fixture.ts';

const VAULT_KEY = randomBytes(32).toString('base64');

async function conversation(options: RedactionOptions) {
  const interceptor = await openRedaction(options);
  const upstream = new ScriptedServer((request) => resultFor(request, { text: answer }));
  const server = applyInterceptors([interceptor], upstream);
  let answer: unknown = '';
  return {
    /** The value that the server receives for the client's argument. */
    async told(argument: unknown): Promise<unknown> {
      await server.request(requestOf('tools/call', { arguments: argument }), exchangeWith());
      return upstream.requests.at(-1)?.params?.arguments;
    },
    /** The value that the client receives for the server's answer. */
    async heard(text: unknown): Promise<unknown> {
      answer = text;
      const response: JsonRpcResponse = await server.request(
        requestOf('tools/call', {}),
        exchangeWith(),
      );
      return (parseResult(response) as { text: unknown }).text;
    },
  };
}

test('hashes are the same in all programs of a user, and different for other users', async () => {
  const stateFolder = await temporaryFolder();
  const rules = () => [{ mode: 'hash' as const }];
  const hashes = [stateFolder, stateFolder, await temporaryFolder()].map(async (folder) =>
    (await conversation({ rules, store: openStore(folder) })).told('me@example.com'),
  );
  const [one, same, other] = await Promise.all(hashes);
  expect(one).toBe(same);
  expect(one).not.toBe(other);
});

test('tokens outlive the program with a key, but not without one', async () => {
  const stateFolder = await temporaryFolder();
  const kept = () => ({ rules: () => [{}], store: openStore(stateFolder), vaultKey: VAULT_KEY });
  const token = await (await conversation(kept())).told('me@example.com');
  expect(await (await conversation(kept())).heard(token)).toBe('me@example.com');
  const gone = () => ({ rules: () => [{}], store: openStore(stateFolder) });
  const lost = await (await conversation(gone())).told('me@example.com');
  await expect((await conversation(gone())).heard(lost)).rejects.toMatchObject({
    code: 'protocol',
  });
  expect((await readdir(stateFolder)).sort()).toEqual(['audit', 'vault']);
});

test('an invalid key is rejected', async () => {
  const stateFolder = await temporaryFolder();
  const opening = openRedaction({
    rules: () => [{}],
    store: openStore(stateFolder),
    vaultKey: 'short',
  });
  await expect(opening).rejects.toMatchObject({ code: 'usage' });
});
