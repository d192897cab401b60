import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentCoreError } from '../src/base/errors.ts';
import type { McpCaller } from './mcp-caller.ts';

/** Something to do through any caller, as data, so that it can be sent to a process. */
export type Workload =
  /** Echoes one after another; a sample is one call. Each has a number behind the text. */
  | {
      readonly kind: 'calls';
      readonly count: number;
      readonly gapMs: number;
      readonly text?: string;
    }
  /** Sleeps started at the same moment; the one sample is all of them. */
  | { readonly kind: 'together'; readonly count: number; readonly ms: number }
  /** Echoes sent without waiting; the one sample is all of them. */
  | { readonly kind: 'burst'; readonly count: number }
  /** Echoes, so many at a time; the one sample is all of them. */
  | { readonly kind: 'pool'; readonly count: number; readonly atOnce: number }
  /** Progress events; a sample is how long one was under way, so a lost one gives none. */
  | { readonly kind: 'stream'; readonly events: number; readonly everyMs: number }
  /** One large result; the one sample is the call. */
  | { readonly kind: 'large'; readonly bytes: number };

/** The samples, in milliseconds. A wrong answer throws: fast but wrong is no figure. */
export async function runWorkload(caller: McpCaller, workload: Workload): Promise<number[]> {
  switch (workload.kind) {
    case 'calls': {
      const samples: number[] = [];
      for (let call = 0; call < workload.count; call++) {
        samples.push(await timed(() => echo(caller, `${workload.text ?? 'call'} ${call}`)));
        if (workload.gapMs > 0) await sleep(workload.gapMs);
      }
      return samples;
    }
    case 'together':
      return [
        await timed(() =>
          atOnce(workload.count, () => callTool(caller, 'sleep', { ms: workload.ms })),
        ),
      ];
    case 'burst':
      return [await timed(() => atOnce(workload.count, (call) => echo(caller, `burst ${call}`)))];
    case 'pool':
      return [await timed(() => pool(caller, workload.count, workload.atOnce))];
    case 'stream':
      return await streamLags(caller, workload.events, workload.everyMs);
    case 'large':
      return [
        await timed(async () => {
          const text = await callTool(caller, 'large', { bytes: workload.bytes });
          expect(text.length >= workload.bytes, `${workload.bytes} characters`);
        }),
      ];
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function atOnce(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

/** Sends the next echo when one of those under way is answered. */
async function pool(caller: McpCaller, count: number, size: number): Promise<void> {
  let sent = 0;
  await atOnce(size, async () => {
    while (sent < count) await echo(caller, `pooled ${sent++}`);
  });
}

async function echo(caller: McpCaller, text: string): Promise<void> {
  const echoed = await callTool(caller, 'echo', { text });
  expect(echoed === text, JSON.stringify(text));
}

/** The container writes its clock into each event; hrtime is one clock for a whole machine. */
async function streamLags(caller: McpCaller, events: number, everyMs: number): Promise<number[]> {
  const lags: number[] = [];
  const progressToken = randomUUID();
  caller.onNotification = ({ params }, arrivedAt) => {
    if (params?.progressToken !== progressToken) return;
    lags.push(Number(arrivedAt - BigInt(String(params.message))) / 1e6);
  };
  try {
    await callTool(caller, 'ticks', { events, everyMs }, { progressToken });
    // A proxy may let the result overtake its last events: late, but not lost.
    if (lags.length < events) await sleep(200);
    return lags;
  } finally {
    caller.onNotification = undefined;
  }
}

async function callTool(
  caller: McpCaller,
  name: string,
  args: object,
  meta?: object,
): Promise<string> {
  const params = { name, arguments: args, ...(meta && { _meta: meta }) };
  const { content } = await caller.request('tools/call', params);
  const [first] = (content ?? []) as readonly { readonly text?: string }[];
  return first?.text ?? '';
}

function expect(held: boolean, expected: string): void {
  if (!held) throw new AgentCoreError('protocol', `an answer was not the expected ${expected}`);
}
