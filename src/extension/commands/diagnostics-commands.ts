import { release } from 'node:os';
import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import type { SessionsModel } from '../models/sessions-model.ts';
import { Commands } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getTargetArn } from '../settings/server-environment.ts';
import { getWindowEnvironment } from '../settings/window-settings.ts';
import type { CommandRegistry, LogChannel } from '../ui/command-registry.ts';

export function registerDiagnosticsCommands(
  commands: CommandRegistry,
  parts: {
    readonly log: LogChannel;
    readonly store: RuntimeStore;
    readonly sessionsModel: SessionsModel;
    readonly version: string;
  },
): void {
  const { log, store, sessionsModel, version } = parts;
  commands.register(Commands.showLogs, () => log.show());
  commands.register(Commands.copyDiagnostics, async () => {
    const { entries } = await sessionsModel.refresh();
    const text = formatDiagnostics({
      extension: version,
      vscode: vscode.version,
      remote: vscode.env.remoteName,
      isTrusted: vscode.workspace.isTrusted,
      entries: store.entries,
      problems: store.problems.map(({ sentence }) => sentence),
      sessions: entries.filter(({ mayBill }) => mayBill),
      journal: await sessionsModel.sessions().then(
        ({ folder }) => folder,
        (thrown: Error) => thrown.message,
      ),
      env: getWindowEnvironment(),
    });
    await vscode.env.clipboard.writeText(text);
    void vscode.window.showInformationMessage(
      vscode.l10n.t(
        'Copied. The text contains the names of your runtimes and profiles, and no secrets.',
      ),
    );
  });
}

/** Facts for a problem report. They contain no secrets, and account numbers are masked. */
interface DiagnosticFacts {
  readonly extension: string;
  readonly vscode: string;
  readonly remote: string | undefined;
  readonly isTrusted: boolean;
  readonly entries: readonly RuntimeEntry[];
  readonly problems: readonly string[];
  readonly sessions: readonly { readonly state: string; readonly mode: string }[];
  readonly journal: string;
  readonly env: Environment;
}

/** Variables whose values the report contains, because they are no secrets. */
const SHOWN = [
  'AWS_PROFILE',
  'AWS_DEFAULT_PROFILE',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_CA_BUNDLE',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'AGENTCORE_STATE_DIR',
];

/** Variables without their values. The report contains only whether they are set. */
const PRESENT = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SESSION_TOKEN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'AWS_ENDPOINT_URL',
];

/** Formats the text for a problem report. */
export function formatDiagnostics(facts: DiagnosticFacts): string {
  const { entries, problems, sessions, env } = facts;
  const lines = [
    `AgentCore MCP ${facts.extension}, VS Code ${facts.vscode}, Node ${process.versions.node}`,
    `${process.platform} ${process.arch} ${release()}${facts.remote ? `, remote "${facts.remote}"` : ''}, ${facts.isTrusted ? 'trusted' : 'untrusted'} workspace`,
    `Journal: ${facts.journal}`,
    '',
    `Runtimes: ${entries.length}`,
    ...entries.map((entry) => `- ${formatEntryLine(entry)}`),
    ...problems.map((problem) => `- broken: ${problem}`),
    '',
    `Sessions that may be billed: ${sessions.length}`,
    ...sessions.map(({ state, mode }) => `- ${state}, mode ${mode}`),
    '',
    'Environment:',
    ...SHOWN.flatMap((name) => (env[name] ? [`- ${name}=${env[name]}`] : [])),
    ...PRESENT.flatMap((name) => (env[name] ? [`- ${name} is set`] : [])),
  ];
  return `${maskAccounts(lines.join('\n'))}\n`;
}

function formatEntryLine(entry: RuntimeEntry): string {
  const { name, target, sessionMode, profile, role, authorization } = entry;
  return [
    name,
    getTargetArn(entry) ?? target.kind,
    `mode ${sessionMode}`,
    profile && `profile ${profile}`,
    role && `${role.arns.length} role(s)`,
    authorization.kind,
    entry.policy && 'policy',
  ]
    .filter(Boolean)
    .join(', ');
}

/** Masks account numbers, except for the last four digits. */
function maskAccounts(text: string): string {
  return text.replace(/(?<!\d)\d{8}(\d{4})(?!\d)/g, '********$1');
}
