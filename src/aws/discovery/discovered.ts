import { z } from 'zod';

/**
 * What is known of runtimes and gateways, as plain data. The schemas are here because it is kept on
 * disk, and read again by another version of this program.
 */

const jwtSchema = z.object({
  discoveryUrl: z.string(),
  allowedAudience: z.array(z.string()).readonly(),
  allowedClients: z.array(z.string()).readonly(),
  allowedScopes: z.array(z.string()).readonly(),
});

const endpointSchema = z.object({
  /** The qualifier to invoke. */
  name: z.string(),
  arn: z.string(),
  status: z.string(),
  /** The version that answers; absent until there is one. */
  liveVersion: z.string().optional(),
  /** The version that is being rolled out, where that is another. */
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

export const runtimeSchema = z.object({
  ...placeFields,
  kind: z.literal('runtime'),
  arn: z.string(),
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  /** The newest. An endpoint may serve an older one. */
  version: z.string(),
  status: z.string(),
  failureReason: z.string().optional(),
  /** MCP, HTTP, A2A, AGUI, or one that is new; absent where GetAgentRuntime could not be asked. */
  protocol: z.string().optional(),
  /** Absent likewise. */
  authorizer: z.enum(['IAM', 'JWT']).optional(),
  jwt: jwtSchema.optional(),
  networkMode: z.string().optional(),
  /** In seconds. */
  lifecycle: z
    .object({ idleTimeout: z.number().optional(), maxLifetime: z.number().optional() })
    .optional(),
  /** Absent where they could not be listed. */
  endpoints: z.array(endpointSchema).readonly().optional(),
  /** The newest first; absent where nobody asked for them, or they could not be listed. */
  versions: z.array(versionSchema).readonly().optional(),
  updatedAt: z.string().optional(),
});

export const gatewaySchema = z.object({
  ...placeFields,
  kind: z.literal('gateway'),
  arn: z.string(),
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  status: z.string(),
  /** Where MCP is spoken; absent where GetGateway could not be asked. */
  url: z.string().optional(),
  protocol: z.string().optional(),
  /** `NONE` lets anybody in. `OTHER` is a way that this version does not know. */
  authorizer: z.enum(['IAM', 'JWT', 'NONE', 'OTHER']),
  jwt: jwtSchema.optional(),
  updatedAt: z.string().optional(),
});

export type DiscoveredJwt = Readonly<z.output<typeof jwtSchema>>;
export type DiscoveredEndpoint = Readonly<z.output<typeof endpointSchema>>;
export type DiscoveredRuntime = Readonly<z.output<typeof runtimeSchema>>;
export type DiscoveredGateway = Readonly<z.output<typeof gatewaySchema>>;
