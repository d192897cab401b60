import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentCoreError, getErrorMessage } from '../src/base/errors.ts';
import { judge } from './bars.ts';
import { Children } from './children.ts';
import { type Command, nameOf } from './command.ts';
import { type CommandLine, readCommandLine, usage } from './command-line.ts';
import { plainEnvironment, proxyEnvironment } from './environment.ts';
import type { FigureId, Pair } from './figures.ts';
import { writePolicy } from './governed.ts';
import { cliProgram, startLocalRuntime, writeLocalConfig } from './local-runtime.ts';
import { type Plan, planOf } from './plan.ts';
import { buildPrograms } from './programs.ts';
import { jsonReport, textReport } from './report.ts';
import { runRound } from './round.ts';

/** A proxy under measurement, and what is known of it so far. */
interface Contender {
  readonly name: string;
  /** The command as people write it. */
  readonly command: string;
  /** How to start it, given the invocations URL. */
  readonly start: (url: string) => Command;
  /** Whether it keeps the policies that are ours to measure. */
  readonly keepsPolicies: boolean;
  readonly pairs: Partial<Record<FigureId, Pair[]>>;
  failure: string | undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const commandLine = readCommandLine(args);
  if (commandLine.help) {
    console.log(usage);
    return 0;
  }
  requireBuilt(commandLine);
  const children = new Children();
  const scratch = mkdtempSync(join(tmpdir(), 'agentcore-mcp-bench-'));
  const cleanUp = () => {
    children.killAll();
    rmSync(scratch, { recursive: true, force: true });
  };
  process.once('exit', cleanUp);
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  try {
    const programs = buildPrograms(scratch);
    const plan = planOf(commandLine);
    const localConfig = join(scratch, 'agentcore-local.json');
    writeLocalConfig(localConfig, programs.container, plan.microVms);
    const policy = join(scratch, 'policy.yaml');
    writePolicy(policy);
    const contenders = contendersOf(commandLine);
    const relay = { file: process.execPath, args: [programs.relay] };
    const bench = { children, plan, relay, localConfig, policy, scratch };
    await runRounds(bench, contenders);
    return report(contenders, plan.rounds, commandLine.json);
  } finally {
    cleanUp();
  }
}

const ourProgram = fileURLToPath(new URL('../dist/proxy.js', import.meta.url));

function requireBuilt({ ours }: CommandLine): void {
  const missing = [cliProgram, ...(ours === undefined ? [ourProgram] : [])].find(
    (program) => !existsSync(program),
  );
  if (missing === undefined) return;
  throw new AgentCoreError('usage', `There is no ${missing}; run \`npm run build\` first`);
}

/** Ours first. */
function contendersOf({ ours, beside }: CommandLine): readonly Contender[] {
  const first =
    ours === undefined
      ? contender('ours', 'node dist/proxy.js', () => ({
          file: process.execPath,
          args: [ourProgram],
        }))
      : shellContender(ours);
  return [{ ...first, keepsPolicies: true }, ...beside.map(shellContender)];
}

function shellContender(command: string): Contender {
  return contender(nameOf(command), command, (url) => ({
    shell: command.replaceAll('{url}', url),
  }));
}

function contender(name: string, command: string, start: Contender['start']): Contender {
  return { name, command, start, keepsPolicies: false, pairs: {}, failure: undefined };
}

/** What all rounds have in common. */
interface Bench {
  readonly children: Children;
  readonly plan: Plan;
  /** The reference relay. */
  readonly relay: Command;
  readonly localConfig: string;
  readonly policy: string;
  readonly scratch: string;
}

/** A proxy that failed once is left out from then on: its time-outs would take minutes. */
async function runRounds(bench: Bench, contenders: readonly Contender[]): Promise<void> {
  const { rounds } = bench.plan;
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      if (contender.failure !== undefined) continue;
      console.error(`round ${round + 1} of ${rounds}: ${contender.name}`);
      await measure(bench, contender, round);
    }
  }
}

/** An error of the local runtime ends the benchmark. */
async function measure(
  { children, plan, relay, localConfig, policy, scratch }: Bench,
  contender: Contender,
  round: number,
): Promise<void> {
  const local = await startLocalRuntime(children, localConfig, plainEnvironment());
  const env = proxyEnvironment(local, scratch);
  const command = contender.start(local.url);
  const starts = {
    relay: { command: relay, env },
    proxy: { command, env },
    ...(contender.keepsPolicies && {
      governed: { command, env: { ...env, AGENTCORE_POLICY: policy } },
    }),
  };
  try {
    await runRound({ children, plan, starts }, round, (figure, pair) => {
      contender.pairs[figure] ??= [];
      contender.pairs[figure].push(pair);
    });
  } catch (error) {
    contender.failure = getErrorMessage(error);
  } finally {
    await local.close();
  }
}

/** Prints it, and gives the exit code. */
function report(contenders: readonly Contender[], rounds: number, json: boolean): number {
  const [ours] = contenders;
  const failed = ours?.failure !== undefined;
  const verdicts = judge(ours?.pairs ?? {}, failed);
  console.log((json ? jsonReport : textReport)(contenders, verdicts, rounds));
  return failed || verdicts.some(({ verdict }) => verdict === 'missed') ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(getErrorMessage(error));
  process.exitCode = error instanceof AgentCoreError && error.code === 'usage' ? 2 : 1;
}
