import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Peer, RequestContext } from '../../src/relay/peer.ts';
import { StdioConnection, type StdioConnectionOptions } from '../../src/transports/stdio.ts';

/** A grace period that no test waits for, in milliseconds. */
const AN_HOUR = 3_600_000;

const lineOf = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;

/** A peer that answers when the test allows it, or when its exchange is aborted. */
class SlowPeer implements Peer {
  readonly begun: string[] = [];
  readonly exchanges: RequestContext[] = [];
  readonly #answers = new Map<string, () => void>();

  request: Peer['request'] = (request, context) => {
    this.begun.push(request.id.token);
    this.exchanges.push(context);
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(lineOf({ id: Number(request.id.token), result: {} }).trim());
      this.#answers.set(request.id.token, () =>
        resolve({ kind: 'response', id: request.id, bytes, result: {} } as never),
      );
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
    });
  };

  notify: Peer['notify'] = async () => undefined;

  answer(id: number): void {
    this.#answers.get(String(id))?.();
  }
}

function connect(options: Partial<StdioConnectionOptions> = {}) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = new StdioConnection({
    input,
    output,
    messageLimit: 1_000_000,
    openLimit: 100,
    otherSide: 'client',
    onOutputClosed: () => undefined,
    onDropped: () => undefined,
    ...options,
  });
  const peer = new SlowPeer();
  const served = connection.serve(peer);
  const call = (id: number) => input.write(lineOf({ id, method: 'tools/call', params: {} }));
  return { input, output, connection, peer, served, call };
}

describe('the end of a connection', () => {
  it('answers open requests with an error as soon as it has to hurry, whatever the grace period', async () => {
    const { connection, output, peer, call } = connect();
    call(1);
    await expect.poll(() => peer.begun).toEqual(['1']);
    const hurry = new AbortController();
    const closed = connection.close(AN_HOUR, hurry.signal);
    hurry.abort();
    await closed;
    await connection.flushed();
    expect(JSON.parse(String(output.read()))).toMatchObject({
      id: 1,
      error: { data: { reason: 'shutdown' } },
    });
  });

  it('hurries also if it had to hurry before it began', async () => {
    const { connection, peer, call } = connect();
    call(1);
    await expect.poll(() => peer.begun).toEqual(['1']);
    await connection.close(AN_HOUR, AbortSignal.abort());
    expect(peer.exchanges[0]?.signal.aborted).toBe(true);
  });

  it('does not wait for output that the client does not read', async () => {
    const output = new PassThrough({ highWaterMark: 1 });
    const { connection, peer, call } = connect({ output });
    call(1);
    call(2);
    await expect.poll(() => peer.begun).toEqual(['1', '2']);
    await connection.close(0);
    await connection.flushed();
    expect(output.writableLength + output.readableLength).toBeGreaterThan(0);
  });
});

it('reads no further requests at the limit of open requests, and then continues', async () => {
  const { peer, call } = connect({ openLimit: 2 });
  for (const id of [1, 2, 3]) call(id);
  await expect.poll(() => peer.begun).toEqual(['1', '2']);
  peer.answer(1);
  await expect.poll(() => peer.begun).toEqual(['1', '2', '3']);
});
