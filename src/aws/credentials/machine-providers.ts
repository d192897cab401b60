import { readFile } from 'node:fs/promises';
import { AssumeRoleWithWebIdentityCommand } from '@aws-sdk/client-sts';
import {
  fromContainerMetadata,
  fromHttp,
  fromInstanceMetadata,
} from '@aws-sdk/credential-providers';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../base/environment.ts';
import type { EndpointOptions } from '../endpoints.ts';
import type { createSdkRequestHandler } from '../sdk-client.ts';
import { createStsClient } from '../sts.ts';
import { createMissingRegionError, toCredentialIdentity } from './assume-role.ts';
import { createCredentialsError, getErrorText } from './errors.ts';
import { type CredentialsOptions, PROFILE_SESSION_NAME, type Search } from './options.ts';

interface WebIdentity {
  readonly tokenFile: string;
  readonly roleArn: string;
  readonly sessionName: string | undefined;
  /** `of profile "work"`, `in the environment`. */
  readonly whose: string;
  readonly profile: string | undefined;
  readonly region: string | undefined;
  readonly sts: EndpointOptions;
  readonly requestHandler: ReturnType<typeof createSdkRequestHandler>;
  readonly search: Search;
}

/** Assumes a role with the token in a file, as in EKS pods and CI systems. */
export async function getWebIdentityCredentials(
  given: WebIdentity,
): Promise<AwsCredentialIdentity> {
  const { tokenFile, roleArn, sessionName, whose, region, requestHandler, search } = given;
  search.onFile(tokenFile);
  if (!region) throw createMissingRegionError(`assume ${roleArn}`, given.profile);
  let token: string;
  try {
    token = await readFile(tokenFile, 'utf8');
  } catch (cause) {
    throw createCredentialsError(
      `Could not read the web identity token ${whose}: have ${tokenFile} written, or name another file (${getErrorText(cause)})`,
      { cause },
    );
  }
  try {
    // No credentials: the token proves the caller's identity.
    const client = createStsClient({ region, sts: given.sts, requestHandler });
    const command = new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleArn,
      RoleSessionName: sessionName || PROFILE_SESSION_NAME,
      WebIdentityToken: token,
    });
    const { Credentials: found } = await client.send(command, { abortSignal: search.signal });
    return toCredentialIdentity(found);
  } catch (cause) {
    const { name } = cause as Error;
    const todo = /ExpiredToken|InvalidIdentityToken/.test(name)
      ? `the token in ${tokenFile} was rejected; have it renewed`
      : /AccessDenied/.test(name)
        ? 'the trust policy of the role must allow sts:AssumeRoleWithWebIdentity for the identity provider, audience and subject of the token'
        : 'check the role, and the network';
    throw createCredentialsError(
      `Could not assume ${roleArn} with the web identity ${whose}: ${todo} (${getErrorText(cause)})`,
      { cause },
    );
  }
}

/** True if the environment contains the URI of a container's credentials. */
export function isInContainer(env: Environment): boolean {
  return Boolean(
    env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || env.AWS_CONTAINER_CREDENTIALS_FULL_URI,
  );
}

/** Credentials of the container, from the URI in the environment. */
export async function getContainerCredentials({
  log,
}: CredentialsOptions): Promise<AwsCredentialIdentity> {
  try {
    return await fromHttp({ logger: createQuietLogger(log) })().catch(() =>
      fromContainerMetadata()(),
    );
  } catch (cause) {
    throw createCredentialsError(
      `Could not get the container's credentials: check AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI, and that the container has a role (${getErrorText(cause)})`,
      { cause },
    );
  }
}

/** False if `AWS_EC2_METADATA_DISABLED` is set to anything but `false`. */
export function isInstanceMetadataEnabled(env: Environment): boolean {
  const disabled = env.AWS_EC2_METADATA_DISABLED;
  return !disabled || disabled === 'false';
}

/** Credentials of the EC2 instance role, from the instance metadata service. */
export async function getInstanceCredentials({
  log,
}: CredentialsOptions): Promise<AwsCredentialIdentity> {
  try {
    return await fromInstanceMetadata({ logger: createQuietLogger(log) })();
  } catch (cause) {
    throw createCredentialsError(
      `Could not get credentials from the instance metadata service: check that the instance has a role (${getErrorText(cause)})`,
      { cause },
    );
  }
}

/** Without a logger, the SDK writes its warnings to the console. */
function createQuietLogger(log: CredentialsOptions['log']) {
  const quiet = () => undefined;
  const warn = (words: string) => log?.('warning', words);
  return { debug: quiet, info: quiet, error: quiet, warn };
}
