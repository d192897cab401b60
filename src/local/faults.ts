import type { z } from 'zod';
import { AgentCoreError, messageOf } from '../error.ts';
import {
  type AimedRuntime,
  type ArmedFault,
  type Fault,
  faultSchema,
  mistakeOfAim,
} from './fault.ts';

/** What a fault is matched against. */
export interface FaultTarget {
  readonly operation: ArmedFault['operation'];
  readonly runtime?: string | undefined;
  readonly method?: string | undefined;
  readonly tool?: string | undefined;
  readonly sessionIds?: readonly (string | undefined)[];
}

export interface InjectedFault {
  /** How many requests it has met, without those that it skipped. */
  readonly hits: number;
  /** Takes it out again. */
  remove(): void;
}

interface Rule {
  readonly fault: ArmedFault;
  skipped: number;
  hits: number;
}

/** The faults that wait for their requests. The oldest one that fits a request meets it, alone. */
export class Faults {
  readonly #runtimes: readonly AimedRuntime[];
  #rules: Rule[] = [];

  constructor(runtimes: readonly AimedRuntime[]) {
    this.#runtimes = runtimes;
  }

  /** @throws {AgentCoreError} `config` where the fault is not one, or can meet no request. */
  inject(fault: Fault): InjectedFault {
    const parsed = faultSchema.safeParse(fault);
    if (!parsed.success) {
      throw new AgentCoreError('config', `Not a fault: ${oneLine(parsed.error)}`);
    }
    const mistake = mistakeOfAim(parsed.data, this.#runtimes);
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

  /** The fault that this request meets, counted as used. */
  take(target: FaultTarget): ArmedFault | undefined {
    if (this.#rules.length === 0) return undefined;
    for (const rule of this.#rules) {
      if (!fits(rule.fault, target)) continue;
      if (rule.skipped < rule.fault.skip) {
        rule.skipped += 1;
        continue;
      }
      rule.hits += 1;
      // Thousands may be injected one after the other: one that is used up waits for nothing.
      if (rule.hits === rule.fault.times) this.#rules = this.#rules.filter((one) => one !== rule);
      return rule.fault;
    }
    return undefined;
  }
}

function fits(fault: ArmedFault, target: FaultTarget): boolean {
  return (
    fault.operation === target.operation &&
    (fault.runtime === undefined || fault.runtime === target.runtime) &&
    (fault.method === undefined || fault.method === target.method) &&
    (fault.tool === undefined || fault.tool === target.tool) &&
    (fault.sessionId === undefined || (target.sessionIds ?? []).includes(fault.sessionId))
  );
}

/** The short form of `--fault`, for sentences that have to say what was expected. */
const FAULT_SHAPE =
  '[before:|during:|after:]KIND[=VALUE][@METHOD[:TOOL]][*TIMES], or a JSON object';

const SHORT_FAULT =
  /^(?:(before|during|after):)?([a-z-]+)(?:=([^@*]+))?(?:@([^:*]+)(?::([^*]+))?)?(\*\d*)?$/;

/** Which setting the VALUE of the short form is, by kind. */
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
 * Reads a fault from a command line: `throttle*3`, `status=503@tools/call:add`, `cut=2@tools/call`,
 * `after:reset@tools/call`, or a JSON object. A `*` without a number is always.
 *
 * @throws {AgentCoreError} `usage`
 */
export function parseFault(text: string): ArmedFault {
  const raw = text.trim().startsWith('{') ? faultFromJson(text) : faultFromShortForm(text.trim());
  const parsed = faultSchema.safeParse(raw);
  if (!parsed.success) {
    throw new AgentCoreError(
      'usage',
      `Not a fault (${oneLine(parsed.error)}), expected ${FAULT_SHAPE}: ${text}`,
    );
  }
  return parsed.data;
}

function oneLine({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => [...path.map(String), message].join(': ').replace(/\s+/g, ' '))
    .join('; ');
}

function faultFromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AgentCoreError('usage', `Not a fault, its JSON is broken (${messageOf(cause)})`, {
      cause,
    });
  }
}

function faultFromShortForm(text: string): unknown {
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
