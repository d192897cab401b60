import { AgentCoreError } from '../base/errors.ts';
import { isSecureUrl } from '../http/secure-url.ts';

/** The parts of an AgentCore Runtime ARN. */
export interface RuntimeArn {
  readonly arn: string;
  readonly partition: Partition;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  /** The runtime's ID: its name, a dash and ten characters. */
  readonly runtimeId: string;
  /** The endpoint name in the ARN or invocation URL, if any. It is the qualifier of invocations. */
  readonly endpoint: string | undefined;
  /** The base URL of the data plane, if it is not the region's default. From an invocation URL. */
  readonly dataPlane?: string | undefined;
}

/** Partitions in AgentCore ARNs (source: `@aws-sdk/client-bedrock-agentcore`). */
export type Partition = 'aws' | 'aws-cn' | 'aws-us-gov';

const RUNTIME_ARN =
  /^arn:(aws|aws-cn|aws-us-gov):bedrock-agentcore:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):runtime\/([a-zA-Z][a-zA-Z0-9_-]{0,99})(?:\/runtime-endpoint\/([a-zA-Z][a-zA-Z0-9_]{0,47}))?$/;

/** The expected format, for error messages. */
const RUNTIME_ARN_SHAPE = 'arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/RUNTIME_ID';

/** The path of runtime invocations: `…/runtimes/{ARN or id}/invocations`. */
/** ARN of a role, with the length limit of IAM. */
export const ROLE_ARN = /^arn:aws(-[a-z]+)*:iam::\d{12}:role\/[\w+=,.@/-]{1,577}$/;

/** External ID of a role. */
export const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;

/** Session name and source identity of a role. */
export const ROLE_SESSION_NAME = /^[\w+=,.@-]{2,64}$/;

/** ARN or serial number of an MFA device. */
export const MFA_SERIAL = /^[\w+=/:,.@-]{9,256}$/;

/** Name of a region, such as `us-east-1`. */
export const REGION_NAME = /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/;

/** Name of an endpoint of a runtime. */
export const ENDPOINT_NAME = /^[a-zA-Z][a-zA-Z0-9_]{0,47}$/;

const INVOCATIONS_PATH = /^(.*)\/runtimes\/(.+)\/invocations\/?$/;

/** AgentCore's data plane in AWS. */
const DATA_PLANE_HOST =
  /^bedrock-agentcore(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d{1,2})\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws|api\.amazonwebservices\.com\.cn)$/;

/** True if the text is the invocation URL of a runtime. */
export function isInvocationsUrl(text: string): boolean {
  return toInvocationsUrl(text) !== undefined;
}

/** Decodes a percent-encoded ARN, for example copied from a URL. */
function decodeArn(text: string): string {
  const arn = text.trim();
  if (!/^arn%/i.test(arn)) return arn;
  try {
    return decodeURIComponent(arn);
  } catch {
    return arn;
  }
}

/**
 * Parses the ARN of a runtime or endpoint, percent-encoded or not, or an invocation URL.
 *
 * @throws {AgentCoreError} `usage`, with the invalid part if it is known.
 */
export function parseRuntimeArn(text: string): RuntimeArn {
  const url = toInvocationsUrl(text);
  return url ? parseInvocationsUrl(url) : parseArn(decodeArn(text));
}

function toInvocationsUrl(text: string): URL | undefined {
  const trimmed = text.trim();
  const url = /^https?:/i.test(trimmed) && URL.canParse(trimmed) ? new URL(trimmed) : undefined;
  return url && INVOCATIONS_PATH.test(url.pathname) ? url : undefined;
}

function parseInvocationsUrl(url: URL): RuntimeArn {
  const [, base = '', label = ''] = INVOCATIONS_PATH.exec(url.pathname) ?? [];
  if (url.username || url.password || !isSecureUrl(url)) {
    throw new AgentCoreError(
      'usage',
      `Could not use the runtime's URL at ${url.host}: it has a user in it, or is neither https nor on this machine. Give the ARN, or https://HOST/runtimes/ARN/invocations`,
    );
  }
  const accountId = url.searchParams.get('accountId');
  const [, region, suffix] = DATA_PLANE_HOST.exec(url.hostname) ?? [];
  let named = decodeArn(decodeLabel(label));
  if (!named.includes(':') && region !== undefined && accountId !== null) {
    named = `arn:${getPartition(region)}:bedrock-agentcore:${region}:${accountId}:runtime/${named}`;
  }
  const runtime = parseArn(named);
  const isOwn =
    region === runtime.region && suffix?.startsWith('amazonaws.') && !url.host.includes('-fips.');
  return {
    ...runtime,
    endpoint: url.searchParams.get('qualifier') || runtime.endpoint,
    ...(!isOwn && { dataPlane: new URL(`${url.origin}${base}`).href }),
  };
}

function decodeLabel(label: string): string {
  try {
    return decodeURIComponent(label);
  } catch {
    return label;
  }
}

function parseArn(arn: string): RuntimeArn {
  const match = RUNTIME_ARN.exec(arn);
  if (!match) {
    throw new AgentCoreError(
      'usage',
      `Not the ARN of an AgentCore runtime (${describeArnFault(arn)}), expected ${RUNTIME_ARN_SHAPE}: ${arn}`,
    );
  }
  const [, partition, region, account, runtimeId, endpoint] = match;
  return {
    // An endpoint is invoked with its runtime's ARN, and the endpoint name as the qualifier.
    arn: endpoint ? arn.slice(0, arn.indexOf('/runtime-endpoint/')) : arn,
    partition: partition as Partition,
    region: region as string,
    account: account as string,
    runtimeId: runtimeId as string,
    endpoint,
  };
}

function describeArnFault(arn: string): string {
  const [prefix, partition, service, region, account, ...resource] = arn.split(':');
  if (prefix !== 'arn') return 'it does not begin with "arn:"';
  if (!/^aws(-cn|-us-gov)?$/.test(partition ?? '')) return `unknown partition "${partition ?? ''}"`;
  if (service !== 'bedrock-agentcore') return `its service is "${service ?? ''}"`;
  if (!REGION_NAME.test(region ?? '')) return `no region in "${region ?? ''}"`;
  if (!/^\d{12}$/.test(account ?? '')) return `the account is not twelve digits`;
  if (!resource.join(':').startsWith('runtime/')) return 'its resource is not "runtime/…"';
  return 'the runtime id or endpoint name has characters that none can have';
}

/** A gateway, identified by its ARN or its MCP URL. */
export type GatewayAddress =
  | {
      /** The given ARN or the AWS URL, for messages. */
      readonly name: string;
      readonly region: string;
      readonly partition: Partition;
      readonly gatewayId: string;
      readonly url: undefined;
    }
  | {
      readonly name: string;
      /** Absent, because the host is not an AWS gateway host. */
      readonly region: undefined;
      readonly url: URL;
    };

const GATEWAY_HOST =
  /^([0-9a-z-]{1,120})\.gateway\.bedrock-agentcore\.([a-z]{2}(?:-[a-z]+)+-\d{1,2})\.amazonaws\.com$/;

/** True if the text may be a gateway's address and cannot be a runtime's. */
export function isGatewayAddress(text: string): boolean {
  if (isGatewayArn(text)) return true;
  return /^\s*https?:\/\//i.test(text) && !isInvocationsUrl(text);
}

/**
 * Returns the name of a server in policies: the ARN of a runtime or gateway, or the URL of a
 * gateway. Any other text is returned unchanged, such as a runtime's id.
 *
 * @throws {AgentCoreError} `usage` if it is an ARN or a URL, but not of a runtime or gateway.
 */
export function getServerName(address: string): string {
  if (isGatewayAddress(address)) return parseGatewayAddress(address).name;
  return /^\s*(arn[:%]|https?:)/i.test(address) ? parseRuntimeArn(address).arn : address;
}

/**
 * Parses a gateway's ARN, its URL or the URL of a custom domain.
 *
 * @throws {AgentCoreError} `usage`
 */
export function parseGatewayAddress(text: string): GatewayAddress {
  const address = text.trim();
  if (/^arn[:%]/i.test(address)) {
    const { arn, partition, region, gatewayId } = parseGatewayArn(address);
    return { name: arn, region, partition, gatewayId, url: undefined };
  }
  const url = /^https?:/i.test(address) && URL.canParse(address) ? new URL(address) : undefined;
  if (!url || url.username || url.password || !isSecureUrl(url)) {
    throw new AgentCoreError(
      'usage',
      'Not the address of an AgentCore gateway, expected its ARN or https://GATEWAY_ID.gateway.bedrock-agentcore.REGION.amazonaws.com/mcp',
    );
  }
  const [, gatewayId, region] = GATEWAY_HOST.exec(url.hostname) ?? [];
  const name = url.origin + url.pathname;
  if (gatewayId === undefined || region === undefined) return { name, region: undefined, url };
  return { name, region, partition: 'aws', gatewayId, url: undefined };
}

/** The parts of an AgentCore Gateway ARN. */
export interface GatewayArn {
  readonly arn: string;
  readonly partition: Partition;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  readonly gatewayId: string;
}

/** Source: `GatewayArn` in the model of `@aws-sdk/client-bedrock-agentcore-control`. */
const GATEWAY_ARN =
  /^arn:(aws|aws-cn|aws-us-gov):bedrock-agentcore:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):gateway\/([0-9a-z](?:[0-9a-z-]{0,108}[0-9a-z])?)$/i;

const GATEWAY_ARN_SHAPE = 'arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/GATEWAY_ID';

/** True if the text is the ARN of a gateway, valid or not. */
export function isGatewayArn(text: string): boolean {
  return /^arn:[\w-]+:bedrock-agentcore:[^:]*:[^:]*:gateway\//i.test(decodeArn(text));
}

/** @throws {AgentCoreError} `usage` */
export function parseGatewayArn(text: string): GatewayArn {
  const arn = decodeArn(text);
  const match = GATEWAY_ARN.exec(arn);
  if (!match) {
    throw new AgentCoreError(
      'usage',
      `Not the ARN of an AgentCore gateway, expected ${GATEWAY_ARN_SHAPE}: ${arn}`,
    );
  }
  const [, partition, region, account, gatewayId] = match;
  return {
    arn,
    partition: partition as Partition,
    region: region as string,
    account: account as string,
    gatewayId: gatewayId as string,
  };
}

/** The partition of a region in AgentCore ARNs. */
export function getPartition(region: string): Partition {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
