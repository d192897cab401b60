import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { CONFIRMED_PROCESSES } from '../../base/exec.ts';
import { Settings } from './contributions.ts';

// VS Code settings other than the runtimes: AWS files, network, discovery, and paths in the
// workspace.

/**
 * The environment of this window's programs: the environment of VS Code and the AWS file settings.
 *
 * @param confirmed Digests of confirmed commands. If the workspace controls an AWS file, only these
 *   commands of the AWS files may run.
 */
export function getWindowEnvironment(confirmed: readonly string[] = []): Environment {
  return {
    ...process.env,
    ...getAwsFiles(),
    ...(getWorkspaceAwsFiles().length > 0 && { [CONFIRMED_PROCESSES]: confirmed.join() || 'none' }),
  };
}

/** Variables for the paths of the AWS files and for their confirmed commands. */
export const AWS_FILE_VARIABLES = [
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  CONFIRMED_PROCESSES,
] as const;

/** A cache key for data from the AWS files. */
export function getAwsFilesKey(env: Environment): string {
  return JSON.stringify(AWS_FILE_VARIABLES.map((name) => env[name] ?? null));
}

/** Paths of the AWS files in the workspace or set by it. */
export function getWorkspaceAwsFiles(): readonly string[] {
  return [Settings.awsConfigFile, Settings.awsCredentialsFile].flatMap((setting) => {
    const path = readPathSetting(setting);
    return path && (isWorkspaceSetting(setting) || isWorkspacePath(path))
      ? [resolvePath(path)]
      : [];
  });
}

/**
 * The AWS file paths from the settings `agentcore.aws.*`. Values other than strings are ignored.
 */
export function getAwsFiles(): Readonly<Record<string, string>> {
  const config = readPathSetting(Settings.awsConfigFile);
  const credentials = readPathSetting(Settings.awsCredentialsFile);
  return {
    ...(config && { AWS_CONFIG_FILE: resolvePath(config) }),
    ...(credentials && { AWS_SHARED_CREDENTIALS_FILE: resolvePath(credentials) }),
  };
}

function readPathSetting(setting: string): string | undefined {
  const value = vscode.workspace.getConfiguration('agentcore').get<unknown>(setting);
  return typeof value === 'string' ? value.trim() || undefined : undefined;
}

function resolvePath(path: string): string {
  return resolveEntryPath(path, getWorkspaceFolder());
}

/**
 * The first workspace folder on disk. Relative paths in settings are resolved against it.
 * `undefined` if no folder is open or all are virtual.
 */
export function getWorkspaceFolder(): string | undefined {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.find(({ uri }) => uri.scheme === 'file')?.uri.fsPath;
}

/** VS Code's network settings, `http.*`. */
interface NetworkSettings {
  readonly proxy: string | undefined;
  readonly noProxy: readonly string[];
  /** `off` disables every proxy. */
  readonly proxySupport: string | undefined;
  readonly strictSsl: boolean | undefined;
  /**
   * Whether certificates of the operating system are trusted too. The default of VS Code is true.
   */
  readonly systemCertificates: boolean | undefined;
}

/**
 * Converts the network settings to environment variables for a child process. If a setting is
 * absent, the inherited variable applies. If certificate checks are disabled in VS Code, they are
 * disabled here too, and Node prints a warning.
 */
export function createNetworkVariables(
  { proxy, noProxy, proxySupport, strictSsl, systemCertificates }: NetworkSettings,
  env: Environment,
): Readonly<Record<string, string | null>> {
  return {
    ...(strictSsl === false && { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    ...(systemCertificates && !env.NODE_USE_SYSTEM_CA && { NODE_USE_SYSTEM_CA: '1' }),
    ...(proxySupport === 'off'
      ? createUnsetProxyVariables()
      : createProxyVariables(proxy, noProxy, env)),
  };
}

function createUnsetProxyVariables() {
  return Object.fromEntries(toCaseVariants(['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'], null));
}

function createProxyVariables(
  proxy: string | undefined,
  noProxy: readonly string[],
  env: Environment,
) {
  if (!proxy && noProxy.length === 0) return {};
  const exceptions = [...new Set([...noProxy, ...addLoopback(env.NO_PROXY ?? env.no_proxy ?? '')])];
  return Object.fromEntries([
    ...(proxy ? toCaseVariants(['HTTPS_PROXY', 'HTTP_PROXY'], proxy) : []),
    ...toCaseVariants(['NO_PROXY'], exceptions.join(',')),
  ]);
}

/** Adds loopback addresses, because an HTTP proxy cannot reach a local AgentCore. */
function addLoopback(noProxy: string): readonly string[] {
  const listed = noProxy.split(/[\s,]+/).filter(Boolean);
  return [...listed, 'localhost', '127.0.0.1'];
}

/** Returns each variable in both cases, because some programs prefer lower case. */
function toCaseVariants(names: readonly string[], value: string | null): [string, string | null][] {
  return names.flatMap((name) => [
    [name, value],
    [name.toLowerCase(), value],
  ]);
}

/** The settings `agentcore.discovery.*`. */
export interface DiscoverySettings {
  readonly profiles: readonly string[];
  readonly regions: readonly string[];
  /** One message per invalid setting. An invalid setting counts as empty. */
  readonly problems: readonly string[];
}

/** Reads and validates the settings `agentcore.discovery.*`. */
export function readDiscoverySettings(): DiscoverySettings {
  const problems: string[] = [];
  const list = (setting: string, example: string): readonly string[] => {
    const value = vscode.workspace.getConfiguration('agentcore').get<unknown>(setting) ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    problems.push(
      vscode.l10n.t(
        '{0} must be a list of strings, such as ["{1}"]',
        `agentcore.${setting}`,
        example,
      ),
    );
    return [];
  };
  const profiles = list(Settings.discoveryProfiles, 'default');
  const regions = list(Settings.discoveryRegions, 'us-east-1');
  return { profiles, regions, problems };
}

/**
 * Makes the path of an entry absolute, because programs start in other directories.
 *
 * @param folder The directory for relative paths. If `undefined`, the home directory.
 */
export function resolveEntryPath(path: string, folder: string | undefined): string {
  if (/^~[\\/]/.test(path)) return join(homedir(), path.slice(2));
  return isAbsolute(path) ? path : resolve(folder ?? homedir(), path);
}

/**
 * Whether the settings of the workspace or of a folder contain this setting below `agentcore.`. If
 * so, its author can be someone other than the user.
 */
export function isWorkspaceSetting(setting: string): boolean {
  const value = vscode.workspace.getConfiguration('agentcore').inspect<unknown>(setting);
  return value?.workspaceValue !== undefined || value?.workspaceFolderValue !== undefined;
}

/**
 * Whether a path in the settings is relative, so its target depends on the workspace. The scope of
 * the setting does not matter.
 */
export function isWorkspacePath(path: string): boolean {
  const startsElsewhere = isAbsolute(path) || /^~[\\/]/.test(path);
  return !startsElsewhere && getWorkspaceFolder() !== undefined;
}
