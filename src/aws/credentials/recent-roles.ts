import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { ensurePrivateDirectory, replaceFile, withFileLock } from '../../base/files.ts';

/** Maximum stored roles. The least recently used roles without a name are removed first. */
const MAX_TARGETS = 50;

/** Maximum milliseconds to wait for the file lock. */
const LOCK_TIMEOUT_MS = 5_000;

/** A role that was assumed or that the user named. */
export interface RoleTarget {
  readonly name?: string | undefined;
  readonly arn: string;
  readonly sessionName: string;
  /** Roles to assume before it. */
  readonly chain?: readonly string[] | undefined;
  /** True if the role needs an external ID. The ID itself is not stored here. */
  readonly wantsExternalId?: boolean | undefined;
  readonly sourceProfile?: string | undefined;
  readonly mfaSerial?: string | undefined;
  readonly sourceIdentity?: string | undefined;
  /** ISO 8601. Absent if the role was named but not used yet. */
  readonly lastUsedAt?: string | undefined;
}

/**
 * Recent and named role targets of a user, stored in a file that only its owner may read. The name
 * identifies a target. Without a name, its ARN, session name and source profile do.
 */
export class RoleTargets {
  readonly #path: string;

  /** @param state The state directory, which all programs of the user share. */
  constructor(state: string) {
    this.#path = join(state, 'role-targets.json');
  }

  /**
   * Returns named targets by name, then the others by most recent use. A corrupt file counts as
   * empty.
   */
  async list(): Promise<readonly RoleTarget[]> {
    return sortTargets(await this.#read());
  }

  /**
   * Stores a target and replaces the existing one with the same identity.
   *
   * @throws {AgentCoreError} `config` if the file cannot be written.
   */
  async add(target: RoleTarget): Promise<void> {
    await this.#change((targets) => [...targets.filter((known) => !isSame(known, target)), target]);
  }

  /** Removes a target. A missing target is ignored. */
  async remove(
    target: Pick<RoleTarget, 'name' | 'arn' | 'sessionName' | 'sourceProfile'>,
  ): Promise<void> {
    await this.#change((targets) => targets.filter((known) => !isSame(known, target)));
  }

  /** Records that a role was just assumed, and keeps its name if it has one. */
  async touch(used: Omit<RoleTarget, 'name' | 'lastUsedAt'>, at = new Date()): Promise<void> {
    const lastUsedAt = at.toISOString();
    await this.#change((targets) => {
      const isKnown = targets.some((known) => isSameRole(known, used));
      if (!isKnown) return [...targets, { ...used, lastUsedAt }];
      return targets.map((known) =>
        isSameRole(known, used) ? { ...known, ...used, lastUsedAt } : known,
      );
    });
  }

  async #change(change: (targets: readonly RoleTarget[]) => readonly RoleTarget[]): Promise<void> {
    try {
      await ensurePrivateDirectory(dirname(this.#path));
      await withFileLock(this.#path, AbortSignal.timeout(LOCK_TIMEOUT_MS), async () => {
        const targets = sortTargets(change(await this.#read())).slice(0, MAX_TARGETS);
        await replaceFile(this.#path, `${JSON.stringify({ targets }, undefined, 2)}\n`);
      });
    } catch (cause) {
      if (cause instanceof AgentCoreError) throw cause;
      const sentence = `Could not write ${this.#path}: ${getErrorMessage(cause)}`;
      throw new AgentCoreError('config', sentence, { cause });
    }
  }

  async #read(): Promise<readonly RoleTarget[]> {
    try {
      const { targets } = JSON.parse(await readFile(this.#path, 'utf8'));
      return Array.isArray(targets) ? targets.filter(isTarget) : [];
    } catch {
      return [];
    }
  }
}

function isTarget(value: unknown): value is RoleTarget {
  const { arn, sessionName } = (value ?? {}) as Partial<RoleTarget>;
  return typeof arn === 'string' && typeof sessionName === 'string';
}

type Identity = Pick<RoleTarget, 'name' | 'arn' | 'sessionName' | 'sourceProfile'>;

function isSame(one: Identity, other: Identity): boolean {
  if (one.name !== undefined || other.name !== undefined) return one.name === other.name;
  return isSameRole(one, other);
}

function isSameRole(one: Identity, other: Identity): boolean {
  return (
    one.arn === other.arn &&
    one.sessionName === other.sessionName &&
    one.sourceProfile === other.sourceProfile
  );
}

function sortTargets(targets: readonly RoleTarget[]): readonly RoleTarget[] {
  return [...targets].sort((a, b) => {
    if ((a.name === undefined) !== (b.name === undefined)) return a.name === undefined ? 1 : -1;
    if (a.name !== undefined && b.name !== undefined) return a.name.localeCompare(b.name);
    return (b.lastUsedAt ?? '').localeCompare(a.lastUsedAt ?? '');
  });
}
