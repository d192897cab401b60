import { request } from 'node:http';
import { connect } from 'node:net';
import type { Container } from './container.ts';

const HOST = '127.0.0.1';

const FIRST_PAUSE_MS = 4;

const MAX_POLL_INTERVAL_MS = 50;

const PROBE_MS = 2000;

type HealthStatus = 'Healthy' | 'HealthyBusy';

/**
 * Waits until a container is ready. An HTTP agent must answer `GET /ping`; an MCP server must
 * listen, because its contract has no health path. Returns false if the container exits first or is
 * not ready within `withinMs`.
 */
export async function waitUntilReady(
  container: Container,
  protocol: 'MCP' | 'HTTP',
  withinMs: number,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  let pause = FIRST_PAUSE_MS;
  while (container.running) {
    const ready =
      protocol === 'HTTP'
        ? (await probeHealth(container.port)) !== undefined
        : await isListening(container.port);
    // Another process may have answered on the port if the container has exited.
    if (ready) return container.running;
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left));
    pause = Math.min(pause * 1.5, MAX_POLL_INTERVAL_MS);
  }
  return false;
}

/** The status from `GET /ping`; `undefined` if the agent is not healthy. */
export function probeHealth(port: number): Promise<HealthStatus | undefined> {
  return new Promise((resolve) => {
    const ping = request({ host: HOST, port, path: '/ping', agent: false, timeout: PROBE_MS });
    ping.on('timeout', () => ping.destroy());
    ping.on('error', () => resolve(undefined));
    ping.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (body.length < MAX_PING) body += chunk;
      });
      response.on('close', () => resolve(readHealth(response.statusCode, body)));
    });
    ping.end();
  });
}

const MAX_PING = 10_000;

function readHealth(status: number | undefined, body: string): HealthStatus | undefined {
  if (status !== 200) return undefined;
  try {
    const answer: unknown = JSON.parse(body);
    const busy =
      typeof answer === 'object' &&
      answer !== null &&
      'status' in answer &&
      answer.status === 'HealthyBusy';
    return busy ? 'HealthyBusy' : 'Healthy';
  } catch {
    // A 200 without JSON counts as healthy.
    return 'Healthy';
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: PROBE_MS });
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
    socket.on('timeout', () => settle(false));
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
