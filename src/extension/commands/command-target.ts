import * as vscode from 'vscode';
import type { DiscoveredGateway, DiscoveredRuntime } from '../../aws/discovery/model.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import { Commands } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getTargetArn } from '../settings/server-environment.ts';

/** The target of a command: a runtime, a gateway or another item. */
interface Subject {
  /** ARN of a runtime, a gateway or an identity. */
  readonly arn: string | undefined;
  /** The entry in the settings. */
  readonly entry: RuntimeEntry | undefined;
  /** The target as described by AWS, if it was discovered. */
  readonly found: DiscoveredRuntime | DiscoveredGateway | undefined;
  readonly profile: string | undefined;
  /** The endpoint. */
  readonly qualifier: string | undefined;
}

/** The fields read from the argument of a command. Their types are unchecked. */
interface Item {
  readonly name?: unknown;
  readonly arn?: unknown;
  readonly entry?: {
    readonly name?: unknown;
    readonly runtime?: unknown;
    readonly qualifier?: unknown;
  };
  readonly target?: unknown;
  readonly place?: { readonly profile?: unknown };
}

/**
 * Reads the argument of a command: nothing, `{ name }` or a tree item. Tree items have `entry`
 * (runtime or session), `target` and `place` (discovered), or `arn` (identity).
 */
export function resolveCommandTarget(item: unknown, store: RuntimeStore): Subject {
  const { name, arn, entry, target, place } = (item ?? {}) as Item;
  const found = isDiscovered(target) ? target : undefined;
  const known = store.find(String(name ?? entry?.name ?? ''));
  const namedArn = getNonEmptyText(arn) ?? getNonEmptyText(entry?.runtime) ?? found?.arn;
  return {
    arn: namedArn ?? (known && getTargetArn(known)),
    entry: known,
    found,
    profile: getNonEmptyText(place?.profile) ?? known?.profile,
    qualifier: getNonEmptyText(entry?.qualifier) ?? known?.qualifier,
  };
}

/**
 * Prompts for an entry. If there is only one, returns it without a prompt.
 *
 * @throws {UserCancelledError} if the user presses Escape or no entry exists.
 */
export async function pickEntry(
  store: RuntimeStore,
  isMeant: (entry: RuntimeEntry) => boolean = () => true,
): Promise<RuntimeEntry> {
  const entries = store.entries.filter(isMeant);
  const [only] = entries;
  if (!only) return offerSetUp(vscode.l10n.t('There is no runtime for this command yet.'));
  if (entries.length === 1) return only;
  const chosen = await vscode.window.showQuickPick(
    entries.map((entry) => ({
      label: entry.name,
      description: getTargetArn(entry) ?? vscode.l10n.t('local'),
      entry,
    })),
    { placeHolder: vscode.l10n.t('Pick a runtime'), matchOnDescription: true },
  );
  if (!chosen) throw new UserCancelledError();
  return chosen.entry;
}

/**
 * Shows why a command has no target, and offers to set up a runtime.
 *
 * @throws {UserCancelledError} always.
 */
export async function offerSetUp(sentence: string): Promise<never> {
  const setUp = vscode.l10n.t('Set Up Runtime');
  const chosen = await vscode.window.showInformationMessage(sentence, setUp);
  if (chosen === setUp) await vscode.commands.executeCommand(Commands.setUpRuntime);
  throw new UserCancelledError();
}

function isDiscovered(value: unknown): value is DiscoveredRuntime | DiscoveredGateway {
  const { kind, arn } = (value ?? {}) as { readonly kind?: unknown; readonly arn?: unknown };
  return (kind === 'runtime' || kind === 'gateway') && typeof arn === 'string';
}

function getNonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
