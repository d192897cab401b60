import { ErrorCode } from '../../mcp/errors.ts';
import type { StatusDescription } from '../upstream/refusal.ts';

/** HTTP statuses of InvokeAgentRuntime (source: its exceptions in the SDK's model). */
export const RUNTIME_STATUS_DESCRIPTIONS: Readonly<Record<number, StatusDescription>> = {
  400: {
    code: ErrorCode.validation,
    what: 'AgentCore refused the request as invalid',
    todo: 'check the runtime, the qualifier and the arguments',
  },
  401: {
    code: ErrorCode.unauthorized,
    what: 'AgentCore did not accept who is calling',
    todo: 'check the credentials and the clock of this machine, and set AGENTCORE_AUTH if it takes JWT bearer tokens',
  },
  402: {
    code: ErrorCode.throttled,
    what: 'A quota of the account is exceeded',
    todo: 'stop sessions that are not needed, or ask AWS for a higher quota',
  },
  403: {
    code: ErrorCode.accessDenied,
    what: 'Access was denied',
    todo: 'check that these credentials may call bedrock-agentcore:InvokeAgentRuntime on the runtime and its endpoint',
  },
  404: {
    code: ErrorCode.notFound,
    what: 'AgentCore does not find the runtime, its endpoint or the session',
    todo: 'check the ARN, the region and the qualifier',
  },
  406: {
    code: ErrorCode.notAcceptable,
    what: 'The runtime answers in no form that was asked for',
    todo: 'check that it is an MCP runtime',
  },
  409: {
    code: ErrorCode.conflict,
    what: 'The session is changing just now',
    todo: 'try again',
  },
  413: {
    code: ErrorCode.validation,
    what: 'The request is too large',
    todo: 'AgentCore takes up to 100 MB',
  },
  424: {
    code: ErrorCode.containerFailed,
    what: 'The container of the runtime failed',
    todo: 'look at its CloudWatch logs',
  },
  429: {
    code: ErrorCode.throttled,
    what: 'AgentCore is throttling',
    todo: 'try again later, with fewer calls at once',
  },
};
