import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AgentCoreError, messageOf } from '../../error.ts';
import { locked, privateFolder, replaceFile } from '../sso/private-file.ts';

/** Roles that are remembered; of those without a name, the ones used longest ago go first. */
const MOST_TARGETS = 50;
/** Milliseconds that another program may keep the file for itself. */
const PATIENCE = 5_000;

/** A role that was assumed, or that the user gave a name to. */
export interface RoleTarget {
  readonly name?: string | undefined;
  readonly arn: string;
  readonly sessionName: string;
  /** Roles to assume before it. */
  readonly chain?: readonly string[] | undefined;
  /** Whether it is assumed with an external id, which is not kept here. */
  readonly wantsExternalId?: boolean | undefined;
  readonly sourceProfile?: string | undefined;
  readonly mfaSerial?: string | undefined;
  readonly sourceIdentity?: string | undefined;
  /** ISO 8601; absent where it was named and not used yet. */
  readonly lastUsedAt?: string | undefined;
}

/**
 * The role targets of a user, recent and named, in a file of the state folder that only its owner
 * may read. A target is what its name says, or else its ARN, session name and source profile.
 */
export class RoleTargets {
  readonly #path: string;

  /** @param state The state folder, which all programs of the user share. */
  constructor(state: string) {
    this.#path = join(state, 'role-targets.json');
  }

  /** Named ones by name, then the others, the latest used first. A file that is broken is empty. */
  async list(): Promise<readonly RoleTarget[]> {
    return sorted(await this.#read());
  }

  /**
   * Remembers a target, in place of the one that it is the same as.
   *
   * @throws {AgentCoreError} `config` where the file cannot be written.
   */
  async add(target: RoleTarget): Promise<void> {
    await this.#change((targets) => [...targets.filter((known) => !isSame(known, target)), target]);
  }

  /** Forgets a target; nothing happens where it is not there. */
  async remove(
    target: Pick<RoleTarget, 'name' | 'arn' | 'sessionName' | 'sourceProfile'>,
  ): Promise<void> {
    await this.#change((targets) => targets.filter((known) => !isSame(known, target)));
  }

  /** Notes that a role was assumed just now, under its name if it has one. */
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
      await privateFolder(dirname(this.#path));
      await locked(this.#path, AbortSignal.timeout(PATIENCE), async () => {
        const targets = sorted(change(await this.#read())).slice(0, MOST_TARGETS);
        await replaceFile(this.#path, `${JSON.stringify({ targets }, undefined, 2)}\n`);
      });
    } catch (cause) {
      if (cause instanceof AgentCoreError) throw cause;
      const sentence = `Could not write ${this.#path}: ${messageOf(cause)}`;
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

function sorted(targets: readonly RoleTarget[]): readonly RoleTarget[] {
  return [...targets].sort((a, b) => {
    if ((a.name === undefined) !== (b.name === undefined)) return a.name === undefined ? 1 : -1;
    if (a.name !== undefined && b.name !== undefined) return a.name.localeCompare(b.name);
    return (b.lastUsedAt ?? '').localeCompare(a.lastUsedAt ?? '');
  });
}
