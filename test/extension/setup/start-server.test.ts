import { describe, expect, it } from 'vitest';
import { findServerTools, waitForTools } from '../../../src/extension/setup/start-server.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';

const before = new Set(['mcp_other_a', 'copilot_readFile']);

/** Returns these lists on successive calls, and then the last one. */
function looks(...lists: readonly (readonly string[])[]): () => readonly string[] {
  const waiting = [...lists];
  return () => (waiting.length > 1 ? waiting.shift() : waiting[0]) as readonly string[];
}

describe('the tools of a started server', () => {
  it('are the new ones, or the ones that the server reported', () => {
    const all = [...before, 'mcp_weather_get_weather', 'copilot_new'];
    expect(findServerTools(all, before, undefined)).toEqual(['mcp_weather_get_weather']);
    expect(findServerTools(all, new Set(all), ['get_weather'])).toEqual([
      'mcp_weather_get_weather',
    ]);
  });

  it('have the server’s own names once VS Code lists them', async () => {
    const tools = await waitForTools({
      before,
      known: ['get_weather'],
      signal: AbortSignal.timeout(MAX_WAIT_MS),
      onFound: () => {},
      names: looks([...before], [...before, 'mcp_weather_get_weather']),
      every: 1,
    });
    expect(tools).toEqual(['get_weather']);
  });

  it('are complete when no more appear, if the server’s own names are unknown', async () => {
    const counts: number[] = [];
    const tools = await waitForTools({
      before,
      known: undefined,
      signal: AbortSignal.timeout(MAX_WAIT_MS),
      onFound: (found) => counts.push(found.length),
      names: looks([], ['mcp_w_a'], ['mcp_w_a', 'mcp_w_b']),
      every: 1,
    });
    expect(tools).toEqual(['mcp_w_a', 'mcp_w_b']);
    expect(counts).toEqual([1, 2, 2]);
  });

  it('are awaited for a bounded time, and not at all for a server without tools', async () => {
    const options = { before, onFound: () => {}, names: () => [], every: 1 };
    const signal = AbortSignal.abort();
    expect(await waitForTools({ ...options, known: undefined, signal })).toBeUndefined();
    expect(await waitForTools({ ...options, known: [], signal })).toEqual([]);
  });
});
