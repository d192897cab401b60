import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import * as vscode from 'vscode';
import { AgentCoreError } from '../../base/errors.ts';
import { Preview } from '../servers/preview.ts';
import { Commands } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getAwsFiles, getWorkspaceFolder } from '../settings/window-settings.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { BACK, type FlowStep, type PickItem, pick, runWizard } from '../ui/wizard.ts';
import type { ClientFile, ClientId, Machine, ServerSnippet } from './client-config.ts';
import { pickEntry, resolveCommandTarget } from './command-target.ts';

/** A client that can get the server. */
interface Target {
  readonly client: ClientId;
  readonly label: string;
  /** Absent if the client runs on another machine than the extension host. */
  readonly file: string | undefined;
}

interface Install {
  readonly target?: Target;
  readonly how?: 'write' | 'copy';
}

/** Registers the command to add the server of an entry to another client's file, or to copy it. */
export function registerInstallForOtherClient(
  commands: CommandRegistry,
  parts: {
    readonly store: RuntimeStore;
    /** The extension's storage directory in this window's VS Code profile. */
    readonly globalStorage: string;
    readonly version: string;
  },
): vscode.Disposable {
  const { store, globalStorage, version } = parts;
  const preview = new Preview('agentcore-preview');
  commands.register(Commands.installForOtherClient, async (item?: unknown) => {
    const isOnAws = ({ target }: RuntimeEntry) => target.kind !== 'local';
    const entry = resolveCommandTarget(item, store).entry ?? (await pickEntry(store, isOnAws));
    const targets = await findTargets(globalStorage);
    const { target, how } = await runWizard(createInstallSteps(entry, targets), {});
    if (!target) return;
    const { needsSecret, SECRET_VARIABLE, createServerSnippet, formatSnippet } = await import(
      './client-config.ts'
    );
    const { client, file, label } = target;
    const files = getAwsFiles();
    const snippet = createServerSnippet(client, entry, version, files);
    if (how === 'copy' || file === undefined) {
      await vscode.env.clipboard.writeText(formatSnippet(client, entry.name, snippet));
      void vscode.window.showInformationMessage(vscode.l10n.t('Copied for {0}', label));
      const paths = Object.values({ ...files, policy: entry.policy }).filter(Boolean);
      if (file === undefined && paths.length > 0) {
        void vscode.window.showWarningMessage(
          vscode.l10n.t(
            'The copied server names files of this remote machine: {0}. Change the paths to those on your own machine.',
            paths.join(', '),
          ),
        );
      }
    } else if (!(await write({ ...target, file }, entry, snippet, preview))) return;
    if (client !== 'vscode' && needsSecret(entry)) {
      void vscode.window.showInformationMessage(
        vscode.l10n.t(
          'The server entry does not contain the client secret. Set {0} in the environment of {1}.',
          SECRET_VARIABLE,
          label,
        ),
      );
    }
  });
  return preview;
}

/**
 * Shows the change, writes it after the user's confirmation, and reads the file back.
 *
 * @returns `false` if the user discards the change.
 */
async function write(
  { client, label, file }: Target & { readonly file: string },
  { name }: RuntimeEntry,
  snippet: ServerSnippet,
  preview: Preview,
): Promise<boolean> {
  const [{ hasServer, withServer }, { readConfig, writeConfig }] = await Promise.all([
    import('./client-config.ts'),
    import('./client-config.ts'),
  ]);
  const before = await readConfig(file);
  const after = withServer(before, client, name, snippet, file);
  const action = vscode.l10n.t('Write');
  const change = {
    name: basename(file),
    title: vscode.l10n.t('{0} (what changes)', basename(file)),
    before,
    after,
  };
  const chosen = await preview.showChange(change, () =>
    vscode.window.showInformationMessage(
      vscode.l10n.t('Write the server to {0}?', file),
      action,
      vscode.l10n.t('Discard'),
    ),
  );
  if (chosen !== action) return false;
  await writeConfig(file, before, after);
  if (!hasServer(await readConfig(file), client, name, snippet)) {
    throw new AgentCoreError(
      'config',
      vscode.l10n.t(
        'Could not confirm the server "{0}" in {1}: another program has changed the file. Try again.',
        name,
        file,
      ),
    );
  }
  void vscode.window.showInformationMessage(
    client === 'vscode'
      ? vscode.l10n.t('Added server "{0}" to {1}.', name, file)
      : vscode.l10n.t('Added server "{0}" to {1}. Restart {2} to use it.', name, file, label),
  );
  return true;
}

function createInstallSteps(
  entry: RuntimeEntry,
  targets: readonly Target[],
): readonly FlowStep<Install>[] {
  const title = vscode.l10n.t('Install {0} for Another Client', entry.name);
  return [
    {
      async ask(install, position) {
        const target = await pick<Target>({
          title,
          position,
          placeholder: vscode.l10n.t('Pick the client'),
          items: targets.map(createTargetItem),
          isActive: ({ file, label }) =>
            file === install.target?.file && label === install.target?.label,
        });
        return target === BACK ? BACK : { ...install, target };
      },
    },
    {
      applies: ({ target }) => target?.file !== undefined,
      async ask(install, position) {
        const how = await pick<'write' | 'copy'>({
          title,
          position,
          placeholder: vscode.l10n.t('Choose an action'),
          items: [
            {
              label: `$(diff) ${vscode.l10n.t('Write to File')}`,
              description: install.target?.file ?? '',
              detail: vscode.l10n.t('The change is shown before it is written.'),
              value: 'write',
            },
            { label: `$(copy) ${vscode.l10n.t('Copy')}`, value: 'copy' },
          ],
        });
        return how === BACK ? BACK : { ...install, how };
      },
    },
  ];
}

function createTargetItem(target: Target): PickItem<Target> {
  return {
    label: target.label,
    description: target.file ?? vscode.l10n.t('on your own machine: the server is copied'),
    value: target,
  };
}

/** Returns this VS Code and this folder first, then the user's other clients. */
async function findTargets(globalStorage: string): Promise<readonly Target[]> {
  const { findClientFiles, findOwnFile } = await import('./client-config.ts');
  const machine: Machine = { platform: process.platform, home: homedir(), env: process.env };
  const { appName, remoteName } = vscode.env;
  const { workspaceFile, workspaceFolders } = vscode.workspace;
  const workspace = (workspaceFile ?? workspaceFolders?.[0]?.uri)?.toString();
  // Other editors based on VS Code have their own configuration files.
  const isVsCode = !/^(Cursor|Kiro)\b/.test(appName);
  const own = await findOwnFile({ application: appName, globalStorage, workspace }, machine);
  const folder = getWorkspaceFolder();
  const isRemote = remoteName !== undefined || vscode.env.uiKind === vscode.UIKind.Web;
  const others = (await findClientFiles(machine)).filter(({ file }) => file !== own.file);
  return [
    ...(isVsCode ? [{ ...own, label: formatOwnLabel(own, remoteName) }] : []),
    ...(folder === undefined
      ? []
      : [
          {
            client: 'vscode' as const,
            label: vscode.l10n.t('VS Code, this folder'),
            file: join(folder, '.vscode', 'mcp.json'),
          },
        ]),
    ...(isRemote
      ? // These clients run on the user's machine, so they have no file on this one.
        others
          .filter(({ client }) => client !== 'vscode')
          .map((one) => ({ ...one, label: formatClientLabel(one), file: undefined }))
      : others.map((one) => ({ ...one, label: formatClientLabel(one) }))),
  ];
}

function formatOwnLabel(own: ClientFile, remote: string | undefined): string {
  // In a browser window, `remoteName` is the address of the server.
  return remote === undefined || remote.includes(':')
    ? vscode.l10n.t('{0}, all windows', formatClientLabel(own))
    : vscode.l10n.t('{0}, all windows on {1}', formatClientLabel(own), remote);
}

function formatClientLabel({ application, profile }: ClientFile): string {
  return profile === undefined
    ? application
    : vscode.l10n.t('{0}, profile {1}', application, profile);
}
