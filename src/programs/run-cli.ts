import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { Environment } from '../environment.ts';
import type { ProgramStreams } from './main.ts';
import { addAccountVerbs } from './verbs/account-verbs.ts';
import { addJournalVerbs } from './verbs/journal-verbs.ts';
import { addPolicyVerbs } from './verbs/policy-verbs.ts';
import { addRelayVerbs } from './verbs/relay-verbs.ts';

/**
 * The `agentcore-mcp` command. Each verb loads its program when called.
 *
 * @param argv As in Node: program, script, arguments.
 * @returns the exit code; 2 for invalid usage.
 */
export async function runCli(
  argv: readonly string[],
  env: Environment,
  streams: ProgramStreams,
): Promise<number> {
  let code = 0;
  const cli = new Command('agentcore-mcp')
    .description('MCP servers on Amazon Bedrock AgentCore Runtime, for any MCP client')
    .version(packageJson.version)
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
    })
    .exitOverride();

  const group = {
    cli,
    env,
    streams,
    exit: (exitCode: number) => {
      code = exitCode;
    },
  };
  addRelayVerbs(group);
  addAccountVerbs(group);
  addJournalVerbs(group);
  addPolicyVerbs(group);
  setHelpHint(cli);

  try {
    await cli.parseAsync(argv);
    return code;
  } catch (thrown) {
    // Help and version end this way too, with 0.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    throw thrown;
  }
}

/** Makes the usage error of each verb point to the verb's own help. */
function setHelpHint(command: Command, path = command.name()): void {
  command.showHelpAfterError(`Try: ${path} --help`);
  for (const verb of command.commands) setHelpHint(verb, `${path} ${verb.name()}`);
}
