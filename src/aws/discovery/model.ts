import * as z from 'zod';
import type { WorkspaceCommand } from '../../base/exec.ts';
import type { AssumeRole } from '../credentials/options.ts';
import type { AccessDenial } from '../iam/access-denied.ts';

/** An account in one region, given by its credentials. */
export interface DiscoveryScope {
  /** If absent, the credentials of the environment. */
  readonly profile?: string | undefined;
  readonly region: string;
  /** A role to assume first, for example in another account. */
  readonly assumeRole?: AssumeRole | undefined;
}

/** A failure during discovery. Other results are still shown. */
export interface Problem {
  readonly place: Partial<DiscoveryScope>;
  readonly kind:
    | 'no-region'
    | 'credentials'
    | 'denied'
    | 'throttled'
    /** Unreachable. */
    | 'network'
    /** A limit was reached, so results are incomplete. */
    | 'bound'
    | 'failed';
  /** Such as `ListAgentRuntimes`. Absent if no API was called. */
  readonly api: string | undefined;
  /** The name of the affected runtime or gateway, if any. */
  readonly subject: string | undefined;
  readonly sentence: string;
  /** For `denied`, if AWS's error message could be parsed. See `createMissingStatements`. */
  readonly denial?: AccessDenial | undefined;
  /** For `credentials`: the profile for which a new login would help. */
  readonly login?: string | undefined;
  /** For `credentials`: the workspace command for the user to confirm. */
  readonly unconfirmed?: WorkspaceCommand | undefined;
}

/**
 * Runtimes and gateways as plain data. They have schemas because they are cached on disk, and
 * another version of this program may read them.
 */

const jwtSchema = z.object({
  discoveryUrl: z.string(),
  allowedAudience: z.array(z.string()).readonly(),
  allowedClients: z.array(z.string()).readonly(),
  allowedScopes: z.array(z.string()).readonly(),
});

const endpointSchema = z.object({
  /** The qualifier for invocations. */
  name: z.string(),
  arn: z.string(),
  status: z.string(),
  /** The version in service. Absent until there is one. */
  liveVersion: z.string().optional(),
  /** The version being deployed, if it differs. */
  targetVersion: z.string().optional(),
});

const versionSchema = z.object({
  version: z.string(),
  status: z.string(),
  updatedAt: z.string().optional(),
});

const placeFields = {
  account: z.string(),
  region: z.string(),
};

/** A runtime from ListAgentRuntimes, with the details from GetAgentRuntime. */
export const runtimeSchema = z.object({
  ...placeFields,
  kind: z.literal('runtime'),
  arn: z.string(),
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  /** The newest version. An endpoint may serve an older one. */
  version: z.string(),
  status: z.string(),
  failureReason: z.string().optional(),
  /** MCP, HTTP, A2A, AGUI or a new protocol. Absent if GetAgentRuntime failed. */
  protocol: z.string().optional(),
  /** Absent if GetAgentRuntime failed. */
  authorizer: z.enum(['IAM', 'JWT']).optional(),
  jwt: jwtSchema.optional(),
  networkMode: z.string().optional(),
  /** In seconds. */
  lifecycle: z
    .object({ idleTimeout: z.number().optional(), maxLifetime: z.number().optional() })
    .optional(),
  /** Absent if they could not be listed. */
  endpoints: z.array(endpointSchema).readonly().optional(),
  /** Newest first. Absent if they were not requested or could not be listed. */
  versions: z.array(versionSchema).readonly().optional(),
  updatedAt: z.string().optional(),
});

/** A gateway from ListGateways, with the details from GetGateway. */
export const gatewaySchema = z.object({
  ...placeFields,
  kind: z.literal('gateway'),
  arn: z.string(),
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  status: z.string(),
  /** The MCP URL. Absent if GetGateway failed. */
  url: z.string().optional(),
  protocol: z.string().optional(),
  /** `NONE` allows unauthenticated calls. `OTHER` is not supported by this version. */
  authorizer: z.enum(['IAM', 'JWT', 'NONE', 'OTHER']),
  jwt: jwtSchema.optional(),
  updatedAt: z.string().optional(),
});

export type DiscoveredJwt = Readonly<z.output<typeof jwtSchema>>;

export type DiscoveredEndpoint = Readonly<z.output<typeof endpointSchema>>;

export type DiscoveredRuntime = Readonly<z.output<typeof runtimeSchema>>;

export type DiscoveredGateway = Readonly<z.output<typeof gatewaySchema>>;
