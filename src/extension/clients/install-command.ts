import { randomUUID } from 'node:crypto';
import { mkdir, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Environment } from '../../environment.ts';
import { AgentCoreError, messageOf } from '../../error.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { pickEntry, subjectOf } from '../commands/command-subject.ts';
import { Commands } from '../contributions.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import { type PickItem, pick } from '../setup/quick-steps.ts';
import { BACK, type FlowStep, runFlow } from '../setup/step-flow.ts';
import { type ClientId, clientFile } from './client-paths.ts';

/** A client's file that the server may be written to. */
interface Target {
  readonly client: ClientId;
  readonly label: string;
  readonly file: string;
}

interface Install {
  readonly target?: Target;
  readonly how?: 'write' | 'copy';
}

/** The command that gives another client the same server, written to its file or copied. */
export function registerInstallForOtherClient(
  commands: CommandRegistry,
  parts: {
    readonly store: RuntimeStore;
    readonly env: () => Environment;
    readonly version: string;
  },
): vscode.Disposable {
  const { store, env, version } = parts;
  const preview = new Preview();
  commands.register(Commands.installForOtherClient, async (item?: unknown) => {
    const isOnAws = ({ target }: RuntimeEntry) => target.kind !== 'local';
    const entry = subjectOf(item, store).entry ?? (await pickEntry(store, isOnAws));
    const { target, how } = await runFlow(stepsFor(entry, env()), {});
    if (!target) return;
    const { needsSecret, SECRET_VARIABLE, serverSnippet, snippetText, withServer } = await import(
      './snippets.ts'
    );
    const { client, file } = target;
    const snippet = serverSnippet(client, entry, version);
    if (how === 'copy') {
      await vscode.env.clipboard.writeText(snippetText(client, entry.name, snippet));
      void vscode.window.showInformationMessage(vscode.l10n.t('Copied for {0}', target.label));
    } else {
      const before = await readFile(file, 'utf8').catch(emptyWhereMissing);
      const after = withServer(before, client, entry.name, snippet);
      if (!(await preview.confirm(file, before, after, target.label))) return;
      await writeAnew(file, before, after);
      void vscode.window.showInformationMessage(
        vscode.l10n.t('Written for {0}. Start it anew to have the server there.', target.label),
      );
    }
    if (client !== 'vscode' && needsSecret(entry)) {
      void vscode.window.showInformationMessage(
        vscode.l10n.t(
          'The client secret is not in it: set {0} where {1} is started.',
          SECRET_VARIABLE,
          target.label,
        ),
      );
    }
  });
  return preview;
}

function stepsFor(entry: RuntimeEntry, env: Environment): readonly FlowStep<Install>[] {
  const title = vscode.l10n.t('Install {0} for Another Client', entry.name);
  return [
    {
      async ask(install, position) {
        const target = await pick<Target>({
          title,
          position,
          placeholder: vscode.l10n.t('Pick the client'),
          items: targetItems(env),
          isActive: ({ file }) => file === install.target?.file,
        });
        return target === BACK ? BACK : { ...install, target };
      },
    },
    {
      async ask(install, position) {
        const how = await pick<'write' | 'copy'>({
          title,
          position,
          placeholder: vscode.l10n.t('What is to be done?'),
          items: [
            {
              label: `$(diff) ${vscode.l10n.t('Write It There')}`,
              description: install.target?.file ?? '',
              detail: vscode.l10n.t('You see what changes before anything is written.'),
              value: 'write',
            },
            { label: `$(copy) ${vscode.l10n.t('Copy It')}`, value: 'copy' },
          ],
        });
        return how === BACK ? BACK : { ...install, how };
      },
    },
  ];
}

function targetItems(env: Environment): readonly PickItem<Target>[] {
  const machine = { platform: process.platform, home: homedir(), env };
  const of = (client: ClientId, label: string, file = clientFile(client, machine)) => ({
    label,
    description: file,
    value: { client, label, file },
  });
  const folder = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file');
  return [
    of('vscode', vscode.l10n.t('VS Code, all windows')),
    ...(folder
      ? [
          of(
            'vscode',
            vscode.l10n.t('VS Code, this folder'),
            join(folder.uri.fsPath, '.vscode', 'mcp.json'),
          ),
        ]
      : []),
    of('claude', 'Claude Desktop'),
    of('cursor', 'Cursor'),
    of('kiro', 'Kiro'),
  ];
}

function emptyWhereMissing(thrown: NodeJS.ErrnoException): string {
  if (thrown.code === 'ENOENT') return '';
  throw new AgentCoreError('config', `Could not read the file: ${messageOf(thrown)}`, {
    cause: thrown,
  });
}

/**
 * Writes the file in one piece, as what it was and where it really is.
 *
 * @throws {AgentCoreError} `config` where somebody changed it meanwhile, or it cannot be written.
 */
async function writeAnew(file: string, before: string, after: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    const path = await realpath(file).catch(() => file);
    if ((await readFile(path, 'utf8').catch(emptyWhereMissing)) !== before) {
      throw new Error(vscode.l10n.t('it was changed meanwhile; try again'));
    }
    const mode = await stat(path).then(
      (known) => known.mode & 0o777,
      () => 0o600,
    );
    const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
    await writeFile(temporary, after, { mode });
    await rename(temporary, path);
  } catch (cause) {
    const sentence = vscode.l10n.t('Could not write {0}: {1}', file, messageOf(cause));
    throw new AgentCoreError('connection', sentence, { cause });
  }
}

const SCHEME = 'agentcore-preview';

/** Shows a change of a file before it is made. */
class Preview implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? '';
  }

  /** @returns whether the person wants it so. */
  async confirm(file: string, before: string, after: string, client: string): Promise<boolean> {
    // A document is read once and kept, so that each preview has its own.
    const place = (side: string) =>
      vscode.Uri.from({ scheme: SCHEME, path: `/${side}/${basename(file)}`, query: randomUUID() });
    const [left, right] = [place('before'), place('after')];
    this.#texts.set(left.toString(), before);
    this.#texts.set(right.toString(), after);
    try {
      const title = vscode.l10n.t('{0} (what changes)', basename(file));
      await vscode.commands.executeCommand('vscode.diff', left, right, title, { preview: true });
      const write = vscode.l10n.t('Write');
      const chosen = await vscode.window.showInformationMessage(
        vscode.l10n.t('Write the server to the configuration of {0}?', client),
        write,
        vscode.l10n.t('Discard'),
      );
      return chosen === write;
    } finally {
      await closeTab(right);
      this.#texts.delete(left.toString());
      this.#texts.delete(right.toString());
    }
  }

  dispose(): void {
    this.#registration.dispose();
  }
}

async function closeTab(modified: vscode.Uri): Promise<void> {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  const shown = tabs.filter(
    ({ input }) =>
      input instanceof vscode.TabInputTextDiff && input.modified.toString() === modified.toString(),
  );
  await vscode.window.tabGroups.close(shown);
}
