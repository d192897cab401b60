import { EventEmitter, once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/local/core/clock.ts';
import { HttpExchange } from '../../src/local/http/exchange.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { endWithTest, within } from '../fixtures/running.ts';

test('a connection that is reset while it ends is released', async () => {
  const closed = new EventEmitter();
  const server = createServer((request, response) => {
    const { socket } = request;
    socket.once('close', () => closed.emit('close'));
    const exchange = new HttpExchange(request, response, systemClock, () => undefined);
    exchange.begin(200, {});
    exchange.cut();
    exchange.reset();
  });
  endWithTest(server, () => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const letGo = once(closed, 'close');
  get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }).on('error', () => {});
  await within(MAX_WAIT_MS, 'the end of the connection', letGo);
  expect(await new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(
    0,
  );
});
