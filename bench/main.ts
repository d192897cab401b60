import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentCoreError, messageOf } from '../src/error.ts';
import { judge } from './bars.ts';
import { Children } from './children.ts';
import { type Command, nameOf } from './command.ts';
import { type CommandLine, readCommandLine, usage } from './command-line.ts';
import { within } from './deadline.ts';
import { bareTarget, invocationsUrl, proxyEnvironment } from './environment.ts';
import type { FigureId, Pair } from './figures.ts';
import { planOf } from './plan.ts';
import { buildPrograms } from './programs.ts';
import { jsonReport, textReport } from './report.ts';
import { runRound, type Setting } from './round.ts';

const upstreamStartMs = 20_000;

/** A proxy under measurement, and what is known of it so far. */
interface Contender {
  readonly name: string;
  /** The command as people write it. */
  readonly command: string;
  readonly start: Command;
  readonly pairs: Partial<Record<FigureId, Pair[]>>;
  failure: string | undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const commandLine = readCommandLine(args);
  if (commandLine.help) {
    console.log(usage);
    return 0;
  }
  requireOurs(commandLine);
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
    const port = await startUpstream(children, programs.upstream);
    const plan = planOf(commandLine);
    const contenders = contendersOf(commandLine, invocationsUrl(port));
    await runRounds(
      {
        children,
        plan,
        bareProgram: programs.bare,
        target: bareTarget(port),
        env: proxyEnvironment(port, scratch),
      },
      contenders,
    );
    return report(contenders, plan.rounds, commandLine.json);
  } finally {
    cleanUp();
  }
}

const ourProgram = fileURLToPath(new URL('../dist/proxy.js', import.meta.url));

function requireOurs({ ours }: CommandLine): void {
  if (ours === undefined && !existsSync(ourProgram)) {
    throw new AgentCoreError('usage', 'There is no dist/proxy.js; run `npm run build` first');
  }
}

/** The port it listens on. */
async function startUpstream(children: Children, program: string): Promise<number> {
  const upstream = children.fork(program);
  const [{ port }] = (await within(
    upstreamStartMs,
    'Starting the upstream',
    once(upstream, 'message'),
  )) as [{ port: number }];
  return port;
}

/** Ours first. */
function contendersOf({ ours, beside }: CommandLine, url: string): readonly Contender[] {
  const first =
    ours === undefined
      ? contender('ours', 'node dist/proxy.js', { file: process.execPath, args: [ourProgram] })
      : shellContender(ours, url);
  return [first, ...beside.map((command) => shellContender(command, url))];
}

function shellContender(command: string, url: string): Contender {
  return contender(nameOf(command), command, { shell: command.replaceAll('{url}', url) });
}

function contender(name: string, command: string, start: Command): Contender {
  return { name, command, start, pairs: {}, failure: undefined };
}

/** A proxy that failed once is left out from then on: its time-outs would take minutes. */
async function runRounds(setting: Setting, contenders: readonly Contender[]): Promise<void> {
  const { rounds } = setting.plan;
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      if (contender.failure !== undefined) continue;
      console.error(`round ${round + 1} of ${rounds}: ${contender.name}`);
      try {
        await runRound(setting, contender.start, round % 2 === 0, (figure, pair) => {
          contender.pairs[figure] ??= [];
          contender.pairs[figure].push(pair);
        });
      } catch (error) {
        contender.failure = messageOf(error);
      }
    }
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
  console.error(messageOf(error));
  process.exitCode = error instanceof AgentCoreError && error.code === 'usage' ? 2 : 1;
}
