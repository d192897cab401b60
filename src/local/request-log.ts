/** One request to a local runtime. */
export interface RequestRecord {
  /** The `x-amzn-RequestId` of the response. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** Without the values of secret parameters. */
  readonly query: string;
  /** Lower-case names, without signatures, tokens and cookies. */
  readonly headers: Readonly<Record<string, string>>;
  operation:
    | 'invoke'
    | 'stop'
    | 'sts'
    | 'control'
    | 'oauth'
    | 'gateway'
    | 'sso-oidc'
    | 'sso'
    | undefined;
  /** Name of the runtime in the configuration. */
  runtime: string | undefined;
  /** The JSON-RPC method, or the name of the API, STS action or OAuth endpoint. */
  rpcMethod: string | undefined;
  /** `params.name` or `params.uri`. */
  tool: string | undefined;
  rpcId: string | number | null | undefined;
  requestBytes: number;
  /** `undefined` until the response starts. */
  status: number | undefined;
  /** Process id of the container. */
  pid: number | undefined;
  /** The kind of the injected fault. */
  fault: string | undefined;
  /** The reason for a refusal, in more detail than in the response. */
  refusal: string | undefined;
  /**
   * `answered`: response complete. `cut`: ended by the local runtime or the container.
   * `disconnected`: the client closed the connection first.
   */
  outcome: 'open' | 'answered' | 'cut' | 'disconnected';
  durationMs: number | undefined;
}

const SECRET_HEADERS = new Set([
  'authorization',
  'x-amz-security-token',
  'x-amz-sso_bearer_token',
  'cookie',
]);

const SECRET_PARAMETERS = /(^|&)(code|state|user_code)=[^&]*/g;

export function sanitizeQuery(query: string): string {
  return query.replace(SECRET_PARAMETERS, '$1$2=');
}

export function sanitizeHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !SECRET_HEADERS.has(name)) {
      kept[name] = typeof value === 'string' ? value : value.join(', ');
    }
  }
  return kept;
}
