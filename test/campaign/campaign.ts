import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../src/local/config/faults.ts';
import type { SessionRecord } from '../../src/local/core/events.ts';
import { type LocalRuntime, startLocalRuntime } from '../../src/local/local-runtime.ts';
import { type Account, takeAccount } from './account.ts';
import { accessKeys, writeRotatingKeys } from './credentials.ts';
import { openDescriptors } from './descriptors.ts';
import { codeCache, environment } from './environment.ts';
import type { ExchangeLog } from './exchanges.ts';
import { Life } from './life.ts';
import type { Offence } from './offence.ts';
import type { Plan, PlannedMishap } from './plan.ts';
import { PlatformLog } from './platform-log.ts';
import { Random } from './random.ts';
import { buildServer, runtimeInput } from './runtimes.ts';
import { measureSlowness } from './slowness.ts';
import { Wire } from './wire.ts';

/** Milliseconds for the platform to end the sessions that the proxies have stopped. */
const SETTLING = 5_000;

/** A running campaign: its parts and the offences so far. */
export interface Campaign {
  readonly plan: Plan;
  /** The folder of the proxies' state and of the server's executions. */
  readonly folder: string;
  readonly local: LocalRuntime;
  readonly log: PlatformLog;
  readonly network: ExchangeLog;
  readonly lives: Life[];
  readonly offences: Offence[];
  /**
   * The factor by which the times of the plan are extended, from 1. See {@link measureSlowness}.
   */
  readonly slowness: number;
}

/**
 * Runs a plan against a local AgentCore and returns the account.
 *
 * @param patience Milliseconds after which the campaign is aborted, which is an offence.
 */
export async function runCampaign(plan: Plan, patience: number): Promise<Account> {
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'agentcore-campaign-'));
  // First, because the compiler keeps a process running.
  const server = buildServer(folder);
  const descriptors = await openDescriptors();
  const executions = join(folder, 'executions.jsonl');
  writeFileSync(executions, '');
  writeRotatingKeys(folder);
  const log = new PlatformLog();
  const slowness = await measureSlowness();
  const runtimes = plan.runtimes.map((planned) => [
    planned.name,
    runtimeInput(planned, server, {
      EXECUTIONS: executions,
      SLOWNESS: String(slowness),
      ...codeCache(folder),
    }),
  ]);
  const local = await startLocalRuntime(
    { runtimes: Object.fromEntries(runtimes), accessKeys },
    { listener: log.listener, requestLimit: 1, microVmLimit: 1_000_000 },
  );
  const wire = await Wire.open(Number(new URL(local.url).port));
  const campaign: Campaign = {
    plan,
    folder,
    local,
    log,
    network: wire.log,
    lives: [],
    offences: [],
    slowness,
  };
  const giveUp = new AbortController();
  const deadline = setTimeout(() => {
    campaign.offences.push({ rule: 'a campaign ends', words: `not within ${patience} ms` });
    giveUp.abort();
  }, patience);
  await liveAll(campaign, wire, giveUp.signal);
  clearTimeout(deadline);
  local.faults.clear();
  await settle(local);
  const running = local.sessions().filter(isRunning);
  await Promise.all([local.close(), wire.close()]);
  const account = await takeAccount(campaign, { executions, running, descriptors });
  const seconds = (performance.now() - started) / 1000;
  if (account.offences.length === 0) rmSync(folder, { recursive: true, force: true });
  return { ...account, seconds };
}

/** Runs the successive lives of each client while the mishaps happen. */
async function liveAll(campaign: Campaign, wire: Wire, signal: AbortSignal): Promise<void> {
  const { plan, folder, local, lives, offences, slowness } = campaign;
  const program = installProxy(folder);
  const random = new Random(plan.seed + 1);
  const mishaps = [...plan.mishaps];
  let begun = 0;
  const onCall = () => {
    begun += 1;
    for (let next = mishaps[0]; next && next.atCall <= begun; next = mishaps[0]) {
      mishaps.shift();
      void strike(campaign, wire, next.what, random);
    }
  };
  const live = async (planned: Plan['clients'][number]) => {
    for (const next of planned) {
      if (signal.aborted) return;
      const env = environment(folder, local, wire.url, next, slowness);
      const onWrong = (rule: string, words: string, key?: string) =>
        void offences.push({ rule, words, key });
      const life = new Life({ life: next, program, env, onCall, onWrong, signal });
      lives.push(life);
      await life.run();
    }
  };
  await Promise.all(plan.clients.map(live));
}

/** A copy of the built proxy, so that a build during the campaign does not affect it. */
function installProxy(folder: string): string {
  const dist = fileURLToPath(new URL('../../dist', import.meta.url));
  cpSync(dist, join(folder, 'dist'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  mkdirSync(join(folder, 'state'), { mode: 0o700 });
  return join(folder, 'dist', 'proxy.js');
}

async function strike(
  { local, log, slowness }: Campaign,
  wire: Wire,
  what: PlannedMishap['what'],
  random: Random,
): Promise<void> {
  switch (what.kind) {
    case 'fault':
      local.faults.inject(stretched(what.fault, slowness));
      return;
    case 'refuse-connections':
      log.count('connections refused');
      return wire.refuse(what.milliseconds);
    case 'reset-connections':
      log.count('connections reset');
      return wire.reset(random, what.share);
    default: {
      const running = local.sessions().filter(isRunning);
      const session = running[Math.floor(what.choice * running.length)];
      if (!session) return;
      log.count(what.kind === 'kill' ? 'microVM killed' : 'container restarted');
      if (what.kind === 'kill') await local.killMicroVm(session.runtimeSessionId);
      else await local.restartContainer(session.runtimeSessionId);
    }
  }
}

/** A delay that exceeds the time of a call must still exceed it. */
function stretched(fault: Fault, slowness: number): Fault {
  return fault.kind === 'delay' ? { ...fault, ms: Math.round(fault.ms * slowness) } : fault;
}

/** Waits until no session is busy or changing its state. */
async function settle(local: LocalRuntime): Promise<void> {
  const until = Date.now() + SETTLING;
  let calm = 0;
  while (calm < 3 && Date.now() < until) {
    await delay(50);
    const atWork = local.sessions().filter(({ inFlight }) => inFlight > 0).length;
    const running = local.sessions().filter(isRunning).length;
    calm = atWork === 0 && running === local.containers ? calm + 1 : 0;
  }
}

/**
 * A container that may restart can leave a session without a process, although it is not stopped.
 */
function isRunning({ state, pid }: SessionRecord): boolean {
  return state !== 'Stopped' && pid !== undefined;
}
