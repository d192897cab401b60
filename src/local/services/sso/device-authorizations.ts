import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Registration } from './client-registrations.ts';
import { NewestByKey } from './newest-by-key.ts';
import type { SsoConfig } from './sso-config.ts';

const MAX_AUTHORIZATIONS = 10_000;
/** What each SlowDown adds to the interval, for the device and so for us (RFC 8628). */
const SLOW_DOWN_MS = 5000;
/** A question may travel faster than the one before, and a timer may be early. */
const TOLERANCE_MS = 100;
/** RFC 8628's: no vowels, so that no word comes out. */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** A device that waits for a person to enter its user code. */
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

/** What a device is told that asks for its token. */
export type DevicePoll = Decision | 'unknown' | 'expired' | 'pending' | 'slow-down';

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
      userCode: newUserCode(),
      client,
      expiresAt: this.#clock.now() + this.#config.deviceCodeDuration * 1000,
      intervalMs: this.#config.deviceInterval * 1000,
      polledAt: undefined,
      decision: undefined,
    };
    this.#entries.set(entry.deviceCode, entry);
    return entry;
  }

  /** A device asks. Once it has got its user, the code is used up. */
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

  /** Those that nobody has decided on yet, oldest first. */
  waiting(): DeviceAuthorization[] {
    return this.#undecided();
  }

  /** The one that waits with this user code, however a person types it. */
  find(userCode: string): DeviceAuthorization | undefined {
    return this.#undecided().find((entry) => lettersOf(entry.userCode) === lettersOf(userCode));
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

function newUserCode(): string {
  const letters = Array.from({ length: 8 }, () =>
    USER_CODE_LETTERS.charAt(randomInt(USER_CODE_LETTERS.length)),
  ).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

function lettersOf(userCode: string): string {
  return userCode.toUpperCase().replace(/[^A-Z]/g, '');
}
