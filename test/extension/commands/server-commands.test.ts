import { beforeEach, describe, expect, it } from 'vitest';
import { registerServerCommands } from '../../../src/extension/commands/server-commands.ts';
import { UserCancelledError } from '../../../src/extension/servers/preparation.ts';
import { Commands } from '../../../src/extension/settings/contributions.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { commands as stub, window } from '../vscode-stub.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';

beforeEach(() => {
  window.said.length = 0;
  window.pressed = undefined;
  stub.run.length = 0;
});

/** Runs a command from the palette in a window with these entries, of which some run. */
function command(
  id: string,
  names: readonly string[],
  runs: readonly string[],
  servers: object = {},
): (() => Promise<unknown>) | undefined {
  const handlers = new Map<string, (item?: unknown) => Promise<unknown>>();
  const register = (id: string, run: (item?: unknown) => Promise<unknown>) =>
    void handlers.set(id, run);
  registerServerCommands({ register } as never, {
    store: { entries: names.map((name) => readEntry({ name, arn: ARN })) } as never,
    running: {
      refresh: async () => undefined,
      getRunningPlace: (name: string) => (runs.includes(name) ? 'here' : undefined),
    } as never,
    servers: servers as never,
    sessionsModel: {} as never,
  });
  return handlers.get(id);
}

async function fromPalette(id: string, names: readonly string[], runs: readonly string[]) {
  await expect(command(id, names, runs)?.()).rejects.toThrow(UserCancelledError);
  return window.said;
}

describe('a server command from the Command Palette', () => {
  it.each([Commands.startServer, Commands.stopServer, Commands.showServerOutput])(
    'offers the setup if there is no runtime: %s',
    async (command) => {
      window.pressed = 'Set Up Runtime';
      expect(await fromPalette(command, [], [])).toEqual(['No runtime is set up.']);
      expect(stub.run).toEqual([[Commands.setUpRuntime]]);
    },
  );

  it.each([Commands.stopServer, Commands.restartServer, Commands.resetSession])(
    'shows a message if no server runs: %s',
    async (command) => {
      expect(await fromPalette(command, ['weather'], [])).toEqual([
        'No server is running in this window.',
      ]);
    },
  );

  it('does not prompt if only one server is possible', async () => {
    const stopped: string[] = [];
    const servers = { stop: async (name: string) => void stopped.push(name) };
    await command(Commands.stopServer, ['weather', 'notes'], ['notes'], servers)?.();
    expect(stopped).toEqual(['notes']);
  });

  it('shows a message if there is no server to start', async () => {
    const said = await fromPalette(Commands.startServer, ['weather'], ['weather']);
    expect(said).toEqual(['All servers are running.']);
  });
});
