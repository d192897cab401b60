/** One request that a local runtime has seen. */
export interface RequestRecord {
  /** The `x-amzn-RequestId` of its answer. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** Without the values that a sign-in goes by. */
  readonly query: string;
  /** Lower-case names; never the signature or a token. */
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
  /** The runtime's name in the configuration. */
  runtime: string | undefined;
  /** The JSON-RPC method; for STS and the control plane the API's name. */
  rpcMethod: string | undefined;
  /** `params.name`, or `params.uri`. */
  tool: string | undefined;
  rpcId: string | number | null | undefined;
  requestBytes: number;
  /** `undefined` while there is none. */
  status: number | undefined;
  /** The process that served it. */
  pid: number | undefined;
  /** The kind of fault that it met. */
  fault: string | undefined;
  /** Why it was refused, in more words than the caller was given. */
  refusal: string | undefined;
  /**
   * `answered`: to its end. `cut`: by us or by the container. `disconnected`: the client left first.
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

export function recordedQuery(query: string): string {
  return query.replace(SECRET_PARAMETERS, '$1$2=');
}

export function recordedHeaders(
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
