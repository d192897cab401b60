import { setTimeout as delay } from 'node:timers/promises';
import * as vscode from 'vscode';
import { Commands } from '../contributions.ts';
import type { McpServers } from '../servers/mcp-servers.ts';

/** Milliseconds for the tools of a server that was started: a microVM takes a while. */
const UP_WITHIN = 90_000;
/** Milliseconds between two looks at the tools: VS Code tells nobody when they change. */
const LOOK_EVERY = 250;
/** Names of tools that a sentence has room for. */
const MOST_NAMES = 6;

/**
 * Starts the server of an entry that was just saved, and says which tools it brought.
 *
 * @param options.known Names of the tools by the server's own word, where it was asked.
 * @param options.isNew Whether VS Code knows no tools of the server from before.
 */
export async function startAndList(
  name: string,
  servers: McpServers,
  options: { readonly known: readonly string[] | undefined; readonly isNew: boolean },
): Promise<void> {
  const { known, isNew } = options;
  const before = new Set(toolNames());
  const ending = new AbortController();
  const tools = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Starting {0}', name),
      cancellable: true,
    },
    async (progress, token) => {
      token.onCancellationRequested(() => ending.abort());
      // Somebody may have to sign in meanwhile, so that the start has a bound of its own.
      await servers.start(name, ending.signal).catch((thrown) => {
        if (!ending.signal.aborted) throw thrown;
      });
      // Those of before cannot be told from those of now.
      if (!isNew && !known) return [];
      const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(UP_WITHIN)]);
      const onFound = (found: readonly string[]) =>
        progress.report({ message: countWords(found.length) });
      return waitForTools({ before, known, signal, onFound });
    },
  );
  if (ending.signal.aborted) return;
  if (tools) await tellReady(name, tools);
  else await tellNotReady(name);
}

/**
 * The server's tools among all of this window, once they are there.
 *
 * @returns undefined where they did not come in time.
 */
export async function waitForTools(options: {
  readonly before: ReadonlySet<string>;
  readonly known: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly onFound: (tools: readonly string[]) => void;
  readonly names?: () => readonly string[];
  readonly every?: number;
}): Promise<readonly string[] | undefined> {
  const { before, known, signal, onFound, names = toolNames, every = LOOK_EVERY } = options;
  // A server without tools is up when VS Code says so.
  if (known?.length === 0) return known;
  let found: readonly string[] = [];
  for (;;) {
    const now = serverTools(names(), before, known);
    if (now.length > 0) onFound(known ?? now);
    // Without its word, all are there when there are no more than a moment ago.
    if (known ? now.length > 0 : now.length > 0 && now.length === found.length) {
      return known ?? now;
    }
    found = now;
    try {
      await delay(every, undefined, { signal });
    } catch {
      return undefined;
    }
  }
}

/**
 * Those of VS Code's tools that may be the server's: `mcp_`, a part of the server's name, and the
 * tool's. A server that ran before has its tools there already.
 */
export function serverTools(
  all: readonly string[],
  before: ReadonlySet<string>,
  known: readonly string[] | undefined,
): readonly string[] {
  const ofServers = all.filter((name) => name.startsWith('mcp_'));
  return ofServers.filter(
    (name) => !before.has(name) || known?.some((tool) => name.endsWith(`_${tool}`)),
  );
}

function toolNames(): readonly string[] {
  return vscode.lm.tools.map(({ name }) => name);
}

async function tellReady(name: string, tools: readonly string[]): Promise<void> {
  const openChat = vscode.l10n.t('Open Chat');
  const names = tools.slice(0, MOST_NAMES).map(withoutPrefix).join(', ');
  const more = tools.length > MOST_NAMES ? ', …' : '';
  const sentence =
    tools.length === 0
      ? vscode.l10n.t('{0} is ready.', name)
      : vscode.l10n.t('{0} is ready with {1}: {2}', name, countWords(tools.length), names + more);
  const chosen = await vscode.window.showInformationMessage(sentence, openChat);
  if (chosen === openChat) {
    await vscode.commands.executeCommand('workbench.action.chat.open', { mode: 'agent' });
  }
}

async function tellNotReady(name: string): Promise<void> {
  const showOutput = vscode.l10n.t('Show Output');
  const edit = vscode.l10n.t('Edit Runtime');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('{0} is set up, but its tools are not there yet. Its output says why.', name),
    showOutput,
    edit,
  );
  const command = { [showOutput]: Commands.showServerOutput, [edit]: Commands.editRuntime };
  const id = chosen && command[chosen];
  if (id) await vscode.commands.executeCommand(id, { name });
}

function countWords(count: number): string {
  return count === 1 ? vscode.l10n.t('1 tool') : vscode.l10n.t('{0} tools', count);
}

/** VS Code's names are for models: `mcp_` and a slug go before the tool's own. */
function withoutPrefix(name: string): string {
  return name.replace(/^mcp_[^_]*_/, '');
}
