import { ErrorCode } from '../../mcp/errors.ts';
import type { StatusDescription } from '../upstream/refusal.ts';

/** HTTP statuses of a gateway (source: "Gateways" of the AgentCore developer guide). */
export const GATEWAY_STATUS_DESCRIPTIONS: Readonly<Record<number, StatusDescription>> = {
  400: {
    code: ErrorCode.validation,
    what: 'The gateway refused the request as invalid',
    todo: 'check the arguments, and the version of MCP that the gateway speaks',
  },
  401: {
    code: ErrorCode.unauthorized,
    what: 'The gateway did not accept who is calling',
    todo: 'check the credentials and the clock of this machine, and set AGENTCORE_AUTH if it takes JWT bearer tokens',
  },
  402: {
    code: ErrorCode.throttled,
    what: 'A quota of the account is exceeded',
    todo: 'ask AWS for a higher quota',
  },
  403: {
    code: ErrorCode.accessDenied,
    what: 'Access was denied',
    todo: 'check that these credentials may call bedrock-agentcore:InvokeGateway on the gateway',
  },
  404: {
    code: ErrorCode.notFound,
    what: 'There is no such gateway, or it does not know the session',
    todo: 'check the address and the region',
  },
  405: {
    code: ErrorCode.notAcceptable,
    what: 'The address takes no MCP messages',
    todo: 'check that it is that of a gateway, which ends with /mcp',
  },
  406: {
    code: ErrorCode.notAcceptable,
    what: 'The gateway answers in no form that was asked for',
    todo: 'check that it speaks MCP',
  },
  409: {
    code: ErrorCode.conflict,
    what: 'The gateway is changing just now',
    todo: 'try again',
  },
  413: {
    code: ErrorCode.validation,
    what: 'The request is too large',
    todo: 'gateways take up to 6 MB',
  },
  424: {
    code: ErrorCode.containerFailed,
    what: 'A target of the gateway failed',
    todo: "look at the gateway's and the target's CloudWatch logs",
  },
  429: {
    code: ErrorCode.throttled,
    what: 'AgentCore is throttling',
    todo: 'try again later, with fewer calls at once',
  },
};
