import { expect, it } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { killAll, running, startProxied, textOf } from '../fixtures/proxied-runtime.ts';
import { type Combination, pairwise } from './pairwise.ts';

const POSITIONS = {
  mode: ['session', 'identity', 'request'],
  recognizes: ['stateful', 'handshake', 'none'],
  gone: ['microVM', 'container'],
  routeMcpBy: ['mcp-session-id', 'runtime-session-id', 'either'],
  stopBy: ['runtime-session-id', 'mcp-session-id', 'either'],
  goneSession: [
    'not-found',
    'server-not-initialized',
    'invalid-params',
    'internal-error',
    'fresh-container',
  ],
  withoutSessionId: ['new-microvm', 'shared-microvm'],
  returnRuntimeSessionId: [true, false],
  sessionIdOnRefusals: [false, true],
  returnMcpSessionId: [true, false],
  mintedMcpSessionId: ['own', 'runtime-session-id'],
  inventedIdOnStateful: ['refuse', 'forward'],
  refusedId: ['not-found', 'bad-request'],
  mcpErrors: ['json-rpc', 'status'],
  containerClientErrors: ['pass', 'wrap'],
  exitedContainer: ['stops-session', 'restarts'],
} as const;

type Positions = Combination<typeof POSITIONS>;

/** False for a runtime on which no client could keep or stop a session. */
function canBe(positions: Positions): boolean {
  return canBeUsed(positions) && canBeStopped(positions) && isTelling(positions);
}

/** False if the proxy cannot receive the error of a stateful runtime for a lost session. */
function isTelling({ mode, recognizes, gone, goneSession, exitedContainer }: Positions): boolean {
  if (recognizes !== 'stateful') return true;
  // Without a shared session, or if the container restarts, the runtime does not report a loss.
  if (mode === 'request') return goneSession === 'not-found';
  const restarts = gone === 'container' && exitedContainer === 'restarts';
  return !restarts || goneSession === 'fresh-container';
}

function canBeUsed({
  mode,
  recognizes,
  routeMcpBy,
  returnMcpSessionId,
  withoutSessionId,
}: Positions): boolean {
  if (returnMcpSessionId) return true;
  // The client needs the server's own id, but does not receive it.
  if (recognizes === 'stateful') return false;
  // Later requests must reach the microVM of the handshake.
  const findsIt =
    routeMcpBy !== 'mcp-session-id' || mode === 'identity' || withoutSessionId === 'shared-microvm';
  return recognizes === 'none' || findsIt;
}

function canBeStopped({
  mode,
  recognizes,
  stopBy,
  withoutSessionId,
  returnRuntimeSessionId,
  returnMcpSessionId,
  mintedMcpSessionId,
}: Positions): boolean {
  if (stopBy === 'mcp-session-id') {
    // A microVM whose server rejected its first request has no id that could stop it.
    if (recognizes === 'stateful') return mode === 'session';
    return returnMcpSessionId || mintedMcpSessionId === 'runtime-session-id';
  }
  // A shared microVM keeps the id of its first request.
  const isShared = withoutSessionId === 'shared-microvm' && mode === 'request';
  return !isShared || returnRuntimeSessionId;
}

const ROWS = pairwise(POSITIONS, canBe);

it.each(ROWS.map((row) => [Object.values(row).join(' '), row] as const))(
  'the client notices nothing and all microVMs are stopped: %s',
  async (_, { mode, recognizes, gone, ...switches }) => {
    const { local, proxy } = await startProxied({
      recognizes,
      switches,
      env: { RUNTIME_SESSION_MODE: mode, AGENTCORE_STOP_ON_EXIT: '1' },
    });
    const first = await proxy.initialize();
    expect(first.result?.serverInfo.name).toBe('forgetful');
    expect((await proxy.request('tools/list')).result?.tools).not.toEqual([]);
    const texts = [await textOf(proxy.call('look')), await textOf(proxy.call('count'))];
    if (gone === 'microVM') await killAll(local);
    else await endContainers(local);
    texts.push(await textOf(proxy.call('look')));
    texts.push(...(await Promise.all([textOf(proxy.call('count')), textOf(proxy.call('look'))])));
    for (const text of texts) expect(text).toMatch(/^\d+$/);
    expect((await proxy.close()).code).toBe(0);
    expect(proxy.lines.filter(({ id }) => id !== undefined)).toHaveLength(7);
    expect(running(local)).toBe(0);
  },
);

/** Kills the containers, as if they had exited. */
async function endContainers(local: LocalRuntime): Promise<void> {
  for (const { state, pid } of local.sessions()) {
    if (state !== 'Stopped' && pid !== undefined) process.kill(pid, 'SIGKILL');
  }
  await expect.poll(() => running(local)).toBe(0);
}
