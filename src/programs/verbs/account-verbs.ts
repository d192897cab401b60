import type { AccountsArguments } from '../run-accounts.ts';
import type { IamArguments } from '../run-iam.ts';
import type { LoginArguments, LogoutArguments } from '../run-login.ts';
import type { RuntimesArguments } from '../run-runtimes.ts';
import type { WhoAmIArguments } from '../run-whoami.ts';
import { append, createShutdownSignal, type VerbGroup } from './verb-group.ts';

/** Verbs for AWS accounts: login, identity, runtimes and IAM permissions. */
export function addAccountVerbs(group: VerbGroup): void {
  addLogin(group);
  addAccounts(group);
  addWhoAmI(group);
  addRuntimes(group);
  addIam(group);
}

function addLogin({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('login')
    .description('sign in to IAM Identity Center (SSO), for this and every other AWS tool')
    .option('--profile <name>', 'the profile whose SSO session is meant (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the SSO session, by its own name')
    .option('--device', 'by a code that is typed into a browser on any device')
    .option('--no-browser', 'only name the page')
    .option('--force', 'sign in anew, even where the login is good')
    .option('--status', 'only say how the login stands; exit code 1 where it takes a new one')
    .option('--json', 'a JSON object a line, for scripts')
    .action(async (options: LoginArguments) => {
      const { runLogin } = await import('../run-login.ts');
      exit(await runLogin(options, env, streams, createShutdownSignal(streams)));
    });
  cli
    .command('logout')
    .description('end the login to an SSO session, here and at AWS')
    .option('--profile <name>', 'the profile whose SSO session is meant (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the SSO session, by its own name')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: LogoutArguments) => {
      const { runLogout } = await import('../run-login.ts');
      exit(await runLogout(options, env, streams, createShutdownSignal(streams)));
    });
}

function addAccounts({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('accounts')
    .description('list the accounts and roles of an SSO session, or write a profile for one')
    .option('--profile <name>', 'the profile whose SSO session is meant (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the SSO session, by its own name')
    .option('--write <profile>', 'write this profile, with --account and --role')
    .option('--account <id>', 'the account of the profile')
    .option('--role <name>', 'the role of the profile')
    .option('--region <region>', 'the region of the profile')
    .option('--replace', 'change the profile where it exists')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: AccountsArguments) => {
      const { runAccounts } = await import('../run-accounts.ts');
      exit(await runAccounts(options, env, streams, createShutdownSignal(streams)));
    });
}

function addWhoAmI({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('whoami')
    .description('show account, ARN, region and expiry of the credentials that would be used')
    .option('--profile <name>', 'the profile (default: AWS_PROFILE)')
    .option('--region <region>', 'the region')
    .option('--role <arn>', 'a role to assume first')
    .option('--runtime <arn>', 'a runtime or gateway: say what does not fit about using it')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: WhoAmIArguments) => {
      const { runWhoAmI } = await import('../run-whoami.ts');
      exit(await runWhoAmI(options, env, streams));
    });
}

function addRuntimes({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('runtimes')
    .description('list runtimes and gateways, and what can be done with each')
    .option('--profile <name>', 'of this profile; may be repeated (default: AWS_PROFILE)', append)
    .option('--all-profiles', 'of every profile')
    .option('--region <region>', "of this region; may be repeated (default: the profile's)", append)
    .option('--role <arn>', 'a role to assume first')
    .option('--no-gateways', 'only runtimes')
    .option('--versions', 'also the versions of each runtime')
    .option('--arn', 'with ARNs')
    .option('--refresh', 'ask AWS for all of it, whatever is cached')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', RUNTIMES_NOTES)
    .action(async (options: RuntimesArguments) => {
      const { runRuntimes } = await import('../run-runtimes.ts');
      exit(await runRuntimes(options, env, streams, createShutdownSignal(streams)));
    });
}

function addIam({ cli, streams, exit }: VerbGroup): void {
  cli
    .command('iam')
    .description('print the least that IAM has to allow for using runtimes and gateways')
    .option('--runtime <arn>', 'a runtime; may be repeated', append)
    .option('--qualifier <name>', 'the endpoint of runtimes whose ARN names none')
    .option('--gateway <arn>', 'a gateway; may be repeated', append)
    .option('--role <arn>', 'a role that is assumed first, as for another account')
    .option('--trust-principal <arn>', 'who may assume it: prints its trust policy too')
    .option('--external-id <id>', 'the external id that the role asks for')
    .option('--mfa', 'the role asks for MFA')
    .option('--source-identity', 'the source identity is set')
    .option('--no-stop', 'sessions are not stopped')
    .option('--list', 'also what the list of runtimes takes')
    .option('--user-id', 'also what it takes to invoke on behalf of a user')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: IamArguments) => {
      const { runIam } = await import('../run-iam.ts');
      exit(runIam(options, streams));
    });
}

const RUNTIMES_NOTES = `
What AWS said is kept for a short while, with its age shown. Where a part cannot
be listed, the rest is, with what failed on stderr.

Exit codes: 0 something was listed, 1 every place failed, 2 bad usage
`;
