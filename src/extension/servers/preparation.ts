import * as vscode from 'vscode';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import { withAbort } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { createEntryCredentials } from '../models/identities-model.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import { AWS_FILE_VARIABLES, createNetworkVariables } from '../settings/window-settings.ts';

// Preparation of a server start: the sequence of steps, and the steps for credentials and window
// settings.

/** Environment variables to add when a server starts. VS Code does not store them. */
export type StartVariables = Readonly<Record<string, string | null>>;

/**
 * A step before the start of a server. It may prompt the user. It returns variables for the server,
 * if any.
 */
export type PreparationStep = (
  entry: RuntimeEntry,
  signal: AbortSignal,
) => Promise<StartVariables | undefined>;

/** Timeout of a preparation in milliseconds. It is long, because the user may have to sign in. */
const PREPARE_TIMEOUT_MS = 5 * 60_000;

/** Thrown if the user cancels. No error message is shown for it. */
export class UserCancelledError extends Error {
  override readonly name = 'Cancelled';
}

/** A running preparation and the number of its waiting callers. */
interface Pending {
  readonly result: Promise<StartVariables | undefined>;
  readonly ending: AbortController;
  waiting: number;
}

/**
 * Runs the preparation steps before a server starts. VS Code can request one start twice, so
 * concurrent requests share one preparation. It is aborted if all requests are cancelled.
 */
export class ServerPreparation {
  readonly #steps: readonly PreparationStep[];
  readonly #onFailure: (thrown: unknown, entry: RuntimeEntry) => void;
  readonly #confirm: (thrown: unknown) => Promise<boolean | undefined>;
  readonly #pending = new Map<string, Pending>();

  /**
   * @param onFailure Receives the error of a step, because VS Code shows errors without buttons.
   * @param confirm Prompts the user to confirm the command that an error requires. Resolves to
   *   `undefined` if it requires none.
   */
  constructor(
    steps: readonly PreparationStep[],
    onFailure: (thrown: unknown, entry: RuntimeEntry) => void = () => undefined,
    confirm: (thrown: unknown) => Promise<boolean | undefined> = async () => undefined,
  ) {
    this.#steps = steps;
    this.#onFailure = onFailure;
    this.#confirm = confirm;
  }

  /**
   * Runs all steps in order.
   *
   * @returns the variables of all steps. `undefined` if the user cancelled.
   * @throws an error with a message that includes the next step.
   */
  async prepare(
    entry: RuntimeEntry,
    token: vscode.CancellationToken,
  ): Promise<StartVariables | undefined> {
    if (token.isCancellationRequested) return undefined;
    const key = JSON.stringify(entry);
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#begin(entry, () => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    const { result, ending } = pending;
    pending.waiting += 1;
    const subscription = token.onCancellationRequested(() => {
      pending.waiting -= 1;
      if (pending.waiting === 0) ending.abort(new UserCancelledError());
    });
    try {
      return await result;
    } finally {
      subscription.dispose();
    }
  }

  #begin(entry: RuntimeEntry, onEnd: () => void): Pending {
    const ending = new AbortController();
    return { result: this.#run(entry, ending).finally(onEnd), ending, waiting: 0 };
  }

  async #run(entry: RuntimeEntry, ending: AbortController): Promise<StartVariables | undefined> {
    const { signal } = ending;
    const minutes = PREPARE_TIMEOUT_MS / 60_000;
    const late = new Error(
      vscode.l10n.t(
        'Runtime "{0}" was not ready to start within {1} minutes. Start it again.',
        entry.name,
        minutes,
      ),
    );
    const timer = setTimeout(() => ending.abort(late), PREPARE_TIMEOUT_MS);
    try {
      const added: Record<string, string | null> = {};
      for (const step of this.#steps) {
        Object.assign(added, await withAbort(this.#take(step, entry, signal), signal));
      }
      return added;
    } catch (caught) {
      // After an abort, the reason of the abort counts, not the error of the step.
      const thrown = signal.aborted ? signal.reason : caught;
      if (thrown instanceof UserCancelledError) return undefined;
      if (thrown === late) throw late;
      this.#onFailure(thrown, entry);
      throw new Error(getErrorMessage(thrown));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a step. If it requires a command and the user confirms it, runs the step again. */
  async #take(
    step: PreparationStep,
    entry: RuntimeEntry,
    signal: AbortSignal,
  ): Promise<StartVariables | undefined> {
    for (;;) {
      try {
        return await step(entry, signal);
      } catch (thrown) {
        const isConfirmed = signal.aborted ? undefined : await this.#confirm(thrown);
        if (isConfirmed === undefined) throw thrown;
        if (!isConfirmed) throw new UserCancelledError();
      }
    }
  }
}

/**
 * Creates the step for the credentials of an entry. The step resolves them before the server
 * starts. It prompts the user to sign in or to enter an MFA code, if necessary. The proxy then
 * finds the login in the shared SSO cache, and role credentials after MFA in the cache of the AWS
 * CLI.
 */
export function prepareCredentials(options: {
  readonly env: () => Environment;
  readonly prompts: CredentialPrompts;
}): PreparationStep {
  return async (entry, signal) => {
    if (entry.target.kind === 'local' || entry.authorization.kind !== 'iam') return undefined;
    const env = options.env();
    await requireProfile(entry, env);
    const asked = trackPrompts(options.prompts, signal);
    const credentials = await createEntryCredentials(entry, { env, prompts: asked.prompts });
    try {
      await credentials();
    } catch (thrown) {
      // The user declined a prompt, so show no error.
      if (asked.wasDeclined()) throw new UserCancelledError();
      throw thrown;
    }
    return undefined;
  };
}

/**
 * Checks that the profile of an entry exists. A missing profile is the most common error on a new
 * machine.
 *
 * @throws {AgentCoreError} `credentials`, with the profile as `missingProfile`.
 */
async function requireProfile({ name, profile }: RuntimeEntry, env: Environment): Promise<void> {
  if (profile === undefined) return;
  const [{ describeMisreadProfile, getProfilePaths, readProfileFiles }, { sortBySimilarity }] =
    await Promise.all([
      import('../../aws/shared-config.ts'),
      import('../../aws/credentials/profiles.ts'),
    ]);
  const files = await readProfileFiles(env);
  const { profiles } = files;
  if (profiles.has(profile)) return;
  const misread = describeMisreadProfile(profile, files);
  if (misread) {
    throw new AgentCoreError(
      'credentials',
      `Could not use profile "${profile}" of runtime "${name}": ${misread}`,
      { data: { missingProfile: profile } },
    );
  }
  const [nearest] = sortBySimilarity(profile, profiles.keys());
  const other = nearest === undefined ? 'add it' : `add it, or pick another, such as "${nearest}"`;
  throw new AgentCoreError(
    'credentials',
    `Runtime "${name}" uses profile "${profile}", which is not in ${getProfilePaths(env).config}: ${other}`,
    { data: { missingProfile: profile } },
  );
}

/** Aborts open prompts if the start is aborted, and records whether the user declined one. */
function trackPrompts(prompts: CredentialPrompts, signal: AbortSignal) {
  let isDeclined = false;
  const noteDeclined = (thrown: unknown): never => {
    isDeclined = thrown instanceof UserCancelledError;
    throw thrown;
  };
  const asked: CredentialPrompts = {
    mfaCode: (serial, within) =>
      prompts.mfaCode(serial, AbortSignal.any([within, signal])).catch(noteDeclined),
    login: async (profile, reason, within) => {
      const all = AbortSignal.any([within, signal]);
      const isOn = (await prompts.login?.(profile, reason, all).catch(noteDeclined)) ?? false;
      isDeclined = !isOn;
      return isOn;
    },
  };
  return { prompts: asked, wasDeclined: () => isDeclined };
}

/**
 * Creates the step for the AWS file and network settings of the window. The proxy gets them as
 * variables.
 */
export function prepareWindow(env: () => Environment): PreparationStep {
  return async () => {
    const http = vscode.workspace.getConfiguration('http');
    const window = env();
    const network = createNetworkVariables(
      {
        proxy: http.get<string>('proxy') || undefined,
        noProxy: http.get<readonly string[]>('noProxy') ?? [],
        proxySupport: http.get<string>('proxySupport'),
        strictSsl: http.get<boolean>('proxyStrictSSL'),
        systemCertificates: http.get<boolean>('systemCertificates'),
      },
      window,
    );
    return {
      ...network,
      ...Object.fromEntries(
        AWS_FILE_VARIABLES.flatMap((name) => (window[name] ? [[name, window[name]]] : [])),
      ),
    };
  };
}
