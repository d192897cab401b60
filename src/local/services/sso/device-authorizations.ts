import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Registration } from './client-registrations.ts';
import { NewestByKey } from './newest-by-key.ts';
import type { SsoConfig } from './sso-config.ts';

const MAX_AUTHORIZATIONS = 10_000;

/** Added to the polling interval after each SlowDown, on both sides (RFC 8628). */
const SLOW_DOWN_MS = 5000;

/** Network delay varies and timers may fire early. */
const TOLERANCE_MS = 100;

/** From RFC 8628: without vowels, to avoid words. */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** A device authorization until the user enters its code. */
export interface DeviceAuthorization {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly client: Registration;
  readonly expiresAt: number;
}

type Decision = { readonly user: string } | 'denied';

interface Entry extends DeviceAuthorization {
  intervalMs: number;
  polledAt: number | undefined;
  decision: Decision | undefined;
}

/** The result of a token request by a device. */
type DevicePoll = Decision | 'unknown' | 'expired' | 'pending' | 'slow-down';

export class DeviceAuthorizations {
  readonly #entries = new NewestByKey<Entry>(MAX_AUTHORIZATIONS);
  readonly #config: SsoConfig;
  readonly #clock: Clock;

  constructor(config: SsoConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  start(client: Registration): DeviceAuthorization {
    const entry: Entry = {
      deviceCode: randomBytes(48).toString('base64url'),
      userCode: createUserCode(),
      client,
      expiresAt: this.#clock.now() + this.#config.deviceCodeDuration * 1000,
      intervalMs: this.#config.deviceInterval * 1000,
      polledAt: undefined,
      decision: undefined,
    };
    this.#entries.set(entry.deviceCode, entry);
    return entry;
  }

  /** Handles a token request of a device. Returning a user consumes the code. */
  poll(deviceCode: string, client: Registration): DevicePoll {
    const entry = this.#entries.get(deviceCode);
    if (!entry || entry.client.id !== client.id) return 'unknown';
    const now = this.#clock.now();
    if (entry.expiresAt <= now) return 'expired';
    const tooSoon =
      entry.polledAt !== undefined && now - entry.polledAt < entry.intervalMs - TOLERANCE_MS;
    entry.polledAt = now;
    if (tooSoon) {
      entry.intervalMs += SLOW_DOWN_MS;
      return 'slow-down';
    }
    if (entry.decision === undefined) return 'pending';
    if (entry.decision !== 'denied') this.#entries.delete(deviceCode);
    return entry.decision;
  }

  /** Undecided authorizations, oldest first. */
  waiting(): DeviceAuthorization[] {
    return this.#undecided();
  }

  /** Finds an undecided authorization. Ignores case and separators in the code. */
  find(userCode: string): DeviceAuthorization | undefined {
    return this.#undecided().find(
      (entry) => normalizeUserCode(entry.userCode) === normalizeUserCode(userCode),
    );
  }

  decide({ deviceCode }: DeviceAuthorization, decision: Decision): void {
    const entry = this.#entries.get(deviceCode);
    if (entry) entry.decision = decision;
  }

  #undecided(): Entry[] {
    const now = this.#clock.now();
    return this.#entries
      .all()
      .filter(({ decision, expiresAt }) => decision === undefined && expiresAt > now);
  }
}

function createUserCode(): string {
  const letters = Array.from({ length: 8 }, () =>
    USER_CODE_LETTERS.charAt(randomInt(USER_CODE_LETTERS.length)),
  ).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

function normalizeUserCode(userCode: string): string {
  return userCode.toUpperCase().replace(/[^A-Z]/g, '');
}
