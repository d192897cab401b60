import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import type { Network } from '../../http/network.ts';
import { type EndpointOptions, readServiceSettings } from '../endpoints.ts';
import { createSdkRequestHandler } from '../sdk-client.ts';
import { findNetworkError } from '../sdk-errors.ts';
import { readProfileFiles } from '../shared-config.ts';
import type { Credentials } from '../sigv4.ts';
import { createStsClient } from '../sts.ts';
import type { CredentialsOptions } from './options.ts';
import { describeProfile, type ProfileKind } from './profiles.ts';
import { createCredentialProvider } from './provider.ts';

/**
 * Returns the ARN of the calling principal from STS GetCallerIdentity.
 *
 * @throws {AgentCoreError} `credentials`, with the `region` in its data if STS rejected them there;
 * `connection` if STS is unreachable. The outcome is `not sent`, because callers need the ARN before
 * they send a call.
 */
export async function getCallerArn(options: {
  readonly credentials: Credentials;
  readonly region: string;
  readonly network: Network;
  readonly sts: EndpointOptions;
}): Promise<string> {
  const { credentials, region, network, sts } = options;
  const agent = await network.agentForAnyHost();
  const requestHandler = createSdkRequestHandler(agent, { connect: 10_000, read: 30_000 });
  const client = createStsClient({ credentials, region, sts, requestHandler });
  try {
    const { Arn } = await client.send(new GetCallerIdentityCommand({}));
    if (!Arn) throw new Error('the answer contains no ARN');
    return Arn;
  } catch (cause) {
    // Errors from the credential search already have a complete message.
    if (cause instanceof AgentCoreError) throw cause;
    const what = 'Could not get the caller identity from STS';
    const error = findNetworkError(cause);
    if (error === undefined) {
      const sentence = `${what}: ${getErrorMessage(cause)}`;
      throw new AgentCoreError('credentials', sentence, { cause, data: { region } });
    }
    throw new AgentCoreError(
      'connection',
      `${what}: AWS is unreachable, check the network and proxy settings (${getErrorMessage(cause)})`,
      { cause, data: { error, outcome: 'not sent' } },
    );
  } finally {
    client.destroy();
    agent.destroy();
  }
}

/** The owner of credentials. It contains no secrets. */
export interface Identity {
  /** Twelve digits. */
  readonly account: string;
  readonly arn: string;
  readonly partition: string;
  readonly kind: 'user' | 'role' | 'root' | 'federated-user' | 'unknown';
  /** The name of the user or role, without its path. */
  readonly name: string;
  /** For an assumed role. */
  readonly sessionName: string | undefined;
  readonly profile: string | undefined;
  /** The region of the environment or the profile, if any. */
  readonly region: string | undefined;
  /** ISO 8601. Absent if the credentials do not expire. */
  readonly expiresAt: string | undefined;
  /** The origin of the credentials for display: `IAM Identity Center`. */
  readonly source: string;
}

interface WhoAmIOptions extends CredentialsOptions {
  /** Existing credentials to check. By default they are searched for. */
  readonly credentials?: Credentials | undefined;
}

/** The STS region if none is set. All regions of a partition return the same result. */
const ANY_REGION = 'us-east-1';

/** Returns the owner of credentials. It needs no permission, and throws as {@link getCallerArn}. */
export async function getCallerIdentity(options: WhoAmIOptions): Promise<Identity> {
  const {
    profile,
    region,
    network,
    env,
    credentials = createCredentialProvider(options),
  } = options;
  const { expiration } = await credentials();
  const sts = await readServiceSettings('STS', profile, env);
  const arn = await getCallerArn({ credentials, region: region ?? ANY_REGION, network, sts });
  return {
    ...parseIdentityArn(arn),
    profile,
    region,
    expiresAt: expiration?.toISOString(),
    source: await describeCredentialSource(options),
  };
}

/**
 * Warns about using a runtime or gateway with these credentials: another partition, account or
 * region.
 *
 * @returns sentences without a full stop. Empty if everything matches.
 */
export function describeMismatches(identity: Identity, arn: string): readonly string[] {
  const [, partition = '', , region = '', account = ''] = arn.split(':');
  const what = /:gateway\//.test(arn) ? 'gateway' : 'runtime';
  if (partition !== identity.partition) {
    return [
      `The ${what} is in the partition ${partition}, and the credentials are of ${identity.partition}: they are not valid there, so choose a profile of an account in ${partition}`,
    ];
  }
  const sentences: string[] = [];
  if (account !== identity.account) {
    sentences.push(
      `The ${what} is in account ${account}, and the credentials are of ${identity.account}: assume a role of ${account}, or have its owner allow you in a resource policy${what === 'runtime' ? ' of the runtime and of its endpoint' : ''}`,
    );
  }
  if (identity.region !== undefined && region !== identity.region) {
    sentences.push(
      `The ${what} is in ${region}, and your region is ${identity.region}: it is called in ${region}, which costs a little time and may be against a rule of your organization`,
    );
  }
  return sentences;
}

const CALLER = /^arn:([\w-]+):(iam|sts)::(\d{12}):(?:(root)|([\w-]+)\/(.+))$/;

function parseIdentityArn(
  arn: string,
): Pick<Identity, 'account' | 'arn' | 'partition' | 'kind' | 'name' | 'sessionName'> {
  const [, partition = '', , account = '', root, type, path = ''] = CALLER.exec(arn) ?? [];
  const base = { arn, partition, account, sessionName: undefined };
  if (root) return { ...base, kind: 'root', name: 'root' };
  const parts = path.split('/');
  const last = parts.at(-1) ?? '';
  if (type === 'assumed-role') {
    return { ...base, kind: 'role', name: parts[0] ?? '', sessionName: last };
  }
  if (type === 'user') return { ...base, kind: 'user', name: last };
  if (type === 'federated-user') return { ...base, kind: 'federated-user', name: last };
  return { ...base, kind: 'unknown', name: last };
}

const BY_PROFILE: Readonly<Record<ProfileKind, string>> = {
  static: 'access key',
  'sso-session': 'IAM Identity Center',
  'sso-legacy': 'IAM Identity Center',
  role: 'assumed role',
  process: 'credential process',
  'web-identity': 'web identity',
  login: 'aws login',
  unknown: 'container or instance',
};

async function describeCredentialSource({
  profile,
  assumeRole,
  env,
}: WhoAmIOptions): Promise<string> {
  const base = await describeBaseSource(profile, env);
  return assumeRole ? `${assumeRole.arn}, assumed with ${base}` : base;
}

/** In the order of the SDKs. */
async function describeBaseSource(profile: string | undefined, env: Environment): Promise<string> {
  if (!profile && env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) {
    return 'environment variables';
  }
  const name = profile ?? 'default';
  const { kind } = describeProfile(name, await readProfileFiles(env));
  if (profile || kind !== 'unknown') return `${BY_PROFILE[kind]}, profile ${name}`;
  return env.AWS_WEB_IDENTITY_TOKEN_FILE ? 'web identity' : BY_PROFILE.unknown;
}
