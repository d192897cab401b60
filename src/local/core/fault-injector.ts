import type { z } from 'zod';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import {
  type AimedRuntime,
  type ArmedFault,
  type Fault,
  faultSchema,
  validateFaultTarget,
} from '../config/faults.ts';

// Injection of faults into requests, and the short form of faults on the command line.

/** The properties of a request that select a fault. */
export interface FaultTarget {
  readonly operation: ArmedFault['operation'];
  readonly runtime?: string | undefined;
  readonly method?: string | undefined;
  readonly tool?: string | undefined;
  readonly sessionIds?: readonly (string | undefined)[];
}

/** The handle of an injected fault. */
export interface InjectedFault {
  /** Number of requests with the fault so far. Skipped requests do not count. */
  readonly hits: number;
  /** Removes the fault. */
  remove(): void;
}

interface Rule {
  readonly fault: ArmedFault;
  skipped: number;
  hits: number;
}

/** The injected faults. A request gets the oldest matching fault only. */
export class Faults {
  readonly #runtimes: readonly AimedRuntime[];
  #rules: Rule[] = [];

  constructor(runtimes: readonly AimedRuntime[]) {
    this.#runtimes = runtimes;
  }

  /**
   * Injects a fault.
   *
   * @throws {AgentCoreError} `config` if the fault is invalid or can match no request.
   */
  inject(fault: Fault): InjectedFault {
    const parsed = faultSchema.safeParse(fault);
    if (!parsed.success) {
      throw new AgentCoreError('config', `Not a fault: ${formatIssues(parsed.error)}`);
    }
    const mistake = validateFaultTarget(parsed.data, this.#runtimes);
    if (mistake) {
      throw new AgentCoreError('config', `Not a fault: ${mistake.field}: ${mistake.message}`);
    }
    const rule: Rule = { fault: parsed.data, skipped: 0, hits: 0 };
    this.#rules.push(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => {
        this.#rules = this.#rules.filter((other) => other !== rule);
      },
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** Returns the fault for a request and counts it. */
  take(target: FaultTarget): ArmedFault | undefined {
    if (this.#rules.length === 0) return undefined;
    for (const rule of this.#rules) {
      if (!matchesTarget(rule.fault, target)) continue;
      if (rule.skipped < rule.fault.skip) {
        rule.skipped += 1;
        continue;
      }
      rule.hits += 1;
      // Remove used-up faults, because a test may inject thousands.
      if (rule.hits === rule.fault.times) this.#rules = this.#rules.filter((one) => one !== rule);
      return rule.fault;
    }
    return undefined;
  }
}

function matchesTarget(fault: ArmedFault, target: FaultTarget): boolean {
  return (
    fault.operation === target.operation &&
    (fault.runtime === undefined || fault.runtime === target.runtime) &&
    (fault.method === undefined || fault.method === target.method) &&
    (fault.tool === undefined || fault.tool === target.tool) &&
    (fault.sessionId === undefined || (target.sessionIds ?? []).includes(fault.sessionId))
  );
}

/** Syntax of `--fault`, for error messages. */
const FAULT_SHAPE =
  '[before:|during:|after:]KIND[=VALUE][@METHOD[:TOOL]][*TIMES], or a JSON object';

const SHORT_FAULT =
  /^(?:(before|during|after):)?([a-z-]+)(?:=([^@*]+))?(?:@([^:*]+)(?::([^*]+))?)?(\*\d*)?$/;

/** The field that VALUE sets in the short form, by kind. */
const VALUE_OF: Readonly<Record<string, string>> = {
  status: 'status',
  'json-rpc-error': 'code',
  'platform-error': 'error',
  throttle: 'retryAfter',
  cut: 'afterEvents',
  stall: 'afterEvents',
  delay: 'ms',
};

/**
 * Parses a fault from the command line. Examples: `throttle*3`, `status=503@tools/call:add`,
 * `cut=2@tools/call`, `after:reset@tools/call`, or a JSON object. `*` without a number means
 * `always`.
 *
 * @throws {AgentCoreError} `usage`
 */
export function parseFault(text: string): ArmedFault {
  const raw = text.trim().startsWith('{') ? parseFaultJson(text) : parseShortFault(text.trim());
  const parsed = faultSchema.safeParse(raw);
  if (!parsed.success) {
    throw new AgentCoreError(
      'usage',
      `Not a fault (${formatIssues(parsed.error)}), expected ${FAULT_SHAPE}: ${text}`,
    );
  }
  return parsed.data;
}

function formatIssues({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => [...path.map(String), message].join(': ').replace(/\s+/g, ' '))
    .join('; ');
}

function parseFaultJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AgentCoreError(
      'usage',
      `Not a fault, its JSON is broken (${getErrorMessage(cause)})`,
      {
        cause,
      },
    );
  }
}

function parseShortFault(text: string): unknown {
  const match = SHORT_FAULT.exec(text);
  if (!match) throw new AgentCoreError('usage', `Not a fault, expected ${FAULT_SHAPE}: ${text}`);
  const [, when, kind, value, method, tool, times] = match;
  const valueKey = VALUE_OF[kind as string];
  const number = Number(value);
  return {
    kind,
    ...(value !== undefined && {
      [valueKey ?? 'value']: Number.isNaN(number) ? value : number,
    }),
    ...(when !== undefined && {
      [kind?.includes('-container') || kind === 'kill-microvm' ? 'when' : 'phase']: when,
    }),
    ...(method !== undefined && { method }),
    ...(tool !== undefined && { tool }),
    ...(times !== undefined && { times: times === '*' ? 'always' : Number(times.slice(1)) }),
  };
}
