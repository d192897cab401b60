import type { AuditFindOptions, AuditVerifyOptions } from '../run-audit.ts';
import type { PolicyExplainOptions, PolicyInitOptions, PolicyTestOptions } from '../run-policy.ts';
import { append, type VerbGroup } from './verb-group.ts';

/** Verbs for policies and the audit log. */
export function addPolicyVerbs(group: VerbGroup): void {
  addPolicy(group);
  addAudit(group);
}

function addPolicy({ cli, env, streams, exit }: VerbGroup): void {
  const policy = cli
    .command('policy')
    .description('check, explain, write and try the policies that calls are kept within')
    .addHelpText('after', POLICY_NOTES);
  policy
    .command('check [file...]')
    .description('tell each mistake of documents by file, line and column')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (files: readonly string[], options: { readonly json?: boolean }) => {
      const { runPolicyCheck } = await import('../run-policy.ts');
      exit(await runPolicyCheck({ files, ...options }, env, streams));
    });
  policy
    .command('explain [tool]')
    .description('say why a call would be decided as it is')
    .option('--method <name>', 'another method than tools/call')
    .option('--args <json>', 'arguments of the tool, or params of the method')
    .option('--caller <arn>', 'on whose behalf it is called')
    .option(
      '--runtime <arn>',
      'ARN or URL of the runtime or gateway (default: AGENTCORE_AGENT_ARN)',
    )
    .option('--tools <file>', 'the result of tools/list, for rules about schemas and annotations')
    .option('--file <document>', 'a document; may be repeated (default: those that hold)', append)
    .option('--json', 'as a JSON object, for scripts')
    .action(async (tool: string | undefined, options: ExplainArguments) => {
      const { runPolicyExplain } = await import('../run-policy.ts');
      const { file, ...rest } = options;
      exit(await runPolicyExplain({ tool, files: file, ...rest }, env, streams));
    });
  policy
    .command('init')
    .description("write a policy from a runtime's tools, by what each may do")
    .option('--runtime <arn>', 'the runtime (default: AGENTCORE_AGENT_ARN)')
    .option('--tools <file>', 'the result of tools/list instead of a live one')
    .option('--out <file>', 'where to write it (default: stdout)')
    .action(async (options: PolicyInitOptions) => {
      const { runPolicyInit } = await import('../run-policy.ts');
      exit(await runPolicyInit(options, env, streams));
    });
  policy
    .command('test <file>')
    .description('try examples of calls and of how they have to be decided')
    .option('--tools <file>', 'the result of tools/list, for rules about schemas and annotations')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (file: string, options: Omit<PolicyTestOptions, 'file'>) => {
      const { runPolicyTest } = await import('../run-policy.ts');
      exit(await runPolicyTest({ file, ...options }, env, streams));
    });
}

function addAudit({ cli, env, streams, exit }: VerbGroup): void {
  const audit = cli.command('audit').description('look after the record of what policies decided');
  audit
    .command('find <token>')
    .description('list the calls that put a redaction token in or took it back')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', FIND_NOTES)
    .action(async (token: string, options: AuditFindOptions) => {
      const { runAuditFind } = await import('../run-audit.ts');
      exit(await runAuditFind(token, options, env, streams));
    });
  audit
    .command('verify')
    .description('say whether it is as it was written')
    .option('--noted <file>', 'what --json printed earlier: nothing of that may be gone')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', AUDIT_NOTES)
    .action(async (options: AuditVerifyOptions) => {
      const { runAuditVerify } = await import('../run-audit.ts');
      exit(await runAuditVerify(options, env, streams));
    });
}

type ExplainArguments = Omit<PolicyExplainOptions, 'files' | 'tool'> & {
  readonly file?: readonly string[];
};

const POLICY_NOTES = `
Environment:
  AGENTCORE_POLICY  paths of documents, beside the organization's and the
                    user's own

Exit codes: 0 all is well, 1 a document has a mistake or an example fails, 2 bad
usage
`;

const AUDIT_NOTES = `
Exit codes: 0 it is as it was written, 1 something was changed, removed or
added, 2 bad usage
`;

const FIND_NOTES = `
Put the token in quotes: agentcore-mcp audit find "<email:1f3a5b7c9d0e2f46>"

Exit codes: 0 there are such calls, 1 there are none, or a file could not be
read, 2 bad usage
`;
