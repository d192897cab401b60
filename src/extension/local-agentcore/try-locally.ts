import * as vscode from 'vscode';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { Commands } from '../contributions.ts';
import { type RuntimeEntry, SAMPLE_RUNTIME } from '../runtimes/runtime-entry.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import type { ServerController } from '../servers/mcp-servers.ts';
import { EMPTY_DRAFT, suggestName } from '../setup/runtime-draft.ts';
import { startServerAndShowTools } from '../setup/start-and-list.ts';

/** Registers the command that runs the sample on a local AgentCore, without an AWS account. */
export function registerTryLocally(
  commands: CommandRegistry,
  parts: { readonly store: RuntimeStore; readonly servers: ServerController },
): void {
  const { store, servers } = parts;
  commands.register(Commands.tryLocally, async () => {
    const known = store.entries.find(isSample);
    const name = known?.name ?? suggestFreeName(store);
    if (!known) await store.save({ name, local: {} });
    await startServerAndShowTools(name, servers, { known: undefined, isNew: known === undefined });
  });
}

function isSample({ target }: RuntimeEntry): boolean {
  return (
    target.kind === 'local' && target.config === undefined && target.runtime === SAMPLE_RUNTIME
  );
}

function suggestFreeName(store: RuntimeStore): string {
  const found = { name: vscode.l10n.t('Sample (local)') } as never;
  return suggestName(
    { ...EMPTY_DRAFT, found },
    store.entries.map(({ name }) => name),
  );
}
