import * as vscode from 'vscode';
import { waitUntil } from '../../base/async.ts';
import type { ServerController } from '../servers/server-control.ts';
import { Commands } from '../settings/contributions.ts';

/** Milliseconds to wait for the tools after the start. A microVM takes some time to start. */
const START_TIMEOUT_MS = 90_000;

/** Poll interval in milliseconds. VS Code emits no event when the tools change. */
const POLL_INTERVAL_MS = 250;

/** Maximum number of tool names in the message. */
const MAX_NAMES = 6;

/**
 * Starts the server of a saved entry and shows its tools.
 *
 * @param options.known Tool names, if the check of the setup listed them.
 * @param options.isNew Whether VS Code has no tools of this server yet.
 */
export async function startServerAndShowTools(
  name: string,
  servers: ServerController,
  options: { readonly known: readonly string[] | undefined; readonly isNew: boolean },
): Promise<void> {
  const { known, isNew } = options;
  const before = new Set(getToolNames());
  const ending = new AbortController();
  const tools = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Starting {0}', name),
      cancellable: true,
    },
    async (progress, token) => {
      token.onCancellationRequested(() => ending.abort());
      // `start` has its own timeout, because the user may have to sign in.
      await servers.start(name, ending.signal);
      // The new tools cannot be distinguished from the old ones, so do not wait for them.
      if (!isNew && !known) return [];
      const onFound = (found: readonly string[]) =>
        progress.report({ message: formatToolCount(found.length) });
      return waitForTools({ before, known, signal: ending.signal, onFound });
    },
  );
  if (ending.signal.aborted) return;
  if (tools) await showReady(name, tools);
  else await showNotReady(name);
}

/**
 * Waits until the tools of the window include those of the server.
 *
 * @returns `undefined` if the signal aborts or the time is over first.
 */
export async function waitForTools(options: {
  readonly before: ReadonlySet<string>;
  readonly known: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly onFound: (tools: readonly string[]) => void;
  readonly names?: () => readonly string[];
  readonly every?: number;
}): Promise<readonly string[] | undefined> {
  const {
    before,
    known,
    signal,
    onFound,
    names = getToolNames,
    every = POLL_INTERVAL_MS,
  } = options;
  // A server without tools adds none.
  if (known?.length === 0) return known;
  let found: readonly string[] = [];
  const isComplete = () => {
    const previous = found;
    found = findServerTools(names(), before, known);
    if (found.length > 0) onFound(known ?? found);
    // If the tool names are unknown, the list counts as complete when two polls return the same
    // number.
    return found.length > 0 && (known !== undefined || found.length === previous.length);
  };
  const timing = { intervalMs: every, timeoutMs: START_TIMEOUT_MS, signal };
  const isThere = await waitUntil(isComplete, timing).catch((thrown) => {
    if (signal.aborted) return false;
    throw thrown;
  });
  return isThere ? (known ?? found) : undefined;
}

/**
 * Filters the tools of VS Code. A name consists of `mcp_`, a part of the server's name, and the
 * tool's name. If the server ran earlier, `before` already contains its tools.
 */
export function findServerTools(
  all: readonly string[],
  before: ReadonlySet<string>,
  known: readonly string[] | undefined,
): readonly string[] {
  const ofServers = all.filter((name) => name.startsWith('mcp_'));
  return ofServers.filter(
    (name) => !before.has(name) || known?.some((tool) => name.endsWith(`_${tool}`)),
  );
}

function getToolNames(): readonly string[] {
  return vscode.lm.tools.map(({ name }) => name);
}

async function showReady(name: string, tools: readonly string[]): Promise<void> {
  const openChat = vscode.l10n.t('Open Chat');
  const names = tools.slice(0, MAX_NAMES).map(withoutPrefix).join(', ');
  const more = tools.length > MAX_NAMES ? ', …' : '';
  const sentence =
    tools.length === 0
      ? vscode.l10n.t('{0} is ready.', name)
      : vscode.l10n.t(
          '{0} is ready with {1}: {2}',
          name,
          formatToolCount(tools.length),
          names + more,
        );
  const chosen = await vscode.window.showInformationMessage(sentence, openChat);
  if (chosen === openChat) {
    await vscode.commands.executeCommand('workbench.action.chat.open', { mode: 'agent' });
  }
}

async function showNotReady(name: string): Promise<void> {
  const showOutput = vscode.l10n.t('Show Output');
  const edit = vscode.l10n.t('Edit Runtime');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t(
      '{0} is set up, but its tools are not available yet. See its output for the reason.',
      name,
    ),
    showOutput,
    edit,
  );
  const command = { [showOutput]: Commands.showServerOutput, [edit]: Commands.editRuntime };
  const id = chosen && command[chosen];
  if (id) await vscode.commands.executeCommand(id, { name });
}

function formatToolCount(count: number): string {
  return count === 1 ? vscode.l10n.t('1 tool') : vscode.l10n.t('{0} tools', count);
}

/** Removes the prefix added by VS Code: `mcp_` and a part of the server's name. */
function withoutPrefix(name: string): string {
  return name.replace(/^mcp_[^_]*_/, '');
}
