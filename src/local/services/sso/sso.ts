import { AgentCoreError } from '../../../error.ts';
import type { Platform } from '../../platform.ts';
import type { AwsService } from '../service.ts';
import { AuthorizePage } from './authorize-page.ts';
import type { DeviceAuthorization } from './device-authorizations.ts';
import { DevicePage } from './device-page.ts';
import { IdentityCenter } from './identity-center.ts';
import { OidcApi } from './oidc-api.ts';
import { PortalApi } from './portal-api.ts';
import type { LiveToken } from './sign-ins.ts';
import { type SsoConfig, startUrlOf } from './sso-config.ts';

interface WaitingDevice {
  readonly userCode: string;
  /** The name that the client registered with. */
  readonly client: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What a test can do to the identity center, besides what a person does in a browser. */
export interface LocalSso {
  readonly startUrl: string;
  readonly region: string;
  /** The names that may sign in, none of which has a password. */
  readonly users: readonly string[];
  /** Access tokens that the portal takes now, oldest first, without their values. */
  readonly tokens: readonly LiveToken[];
  /** Devices that nobody has decided on yet, oldest first. */
  readonly waiting: readonly WaitingDevice[];
  /**
   * Allows a device access, by default as the first user of the configuration.
   *
   * @throws {AgentCoreError} `usage` where no device waits with this code, or there is no such user.
   */
  approve(userCode: string, user?: string): void;
  /** @throws {AgentCoreError} `usage` where no device waits with this code. */
  deny(userCode: string): void;
  /**
   * Ends all sign-ins of a user, and how many there were. Role credentials live on, as on AWS.
   *
   * @throws {AgentCoreError} `usage` where there is no such user.
   */
  revoke(user: string): number;
}

/** IAM Identity Center: its APIs, its pages, and the handle for tests. */
export class Sso {
  readonly services: readonly AwsService[];
  readonly #center: IdentityCenter;
  readonly #region: string;

  constructor(platform: Platform, config: SsoConfig) {
    const { region, switches } = platform.config;
    const center = new IdentityCenter(config, switches, platform.clock);
    this.#center = center;
    this.#region = config.region ?? region;
    this.services = [
      new OidcApi(platform, center),
      new PortalApi(platform, center),
      new AuthorizePage(center),
      new DevicePage(center),
    ];
  }

  /** The handle, for a local runtime that serves at `origin`. */
  handle(origin: string): LocalSso {
    const { config, devices, signIns } = this.#center;
    const [firstUser = ''] = Object.keys(config.users);
    function checkUser(user: string): void {
      if (Object.hasOwn(config.users, user)) return;
      throw new AgentCoreError('usage', `No SSO user has this name: ${user}`);
    }
    function waitingDevice(userCode: string): DeviceAuthorization {
      const device = devices.find(userCode);
      if (device) return device;
      throw new AgentCoreError('usage', 'No device waits with this user code');
    }
    return {
      startUrl: startUrlOf(config, origin),
      region: this.#region,
      users: Object.keys(config.users),
      get tokens() {
        return signIns.live();
      },
      get waiting() {
        return devices.waiting().map(({ userCode, client, expiresAt }) => ({
          userCode,
          client: client.name,
          expiresAt,
        }));
      },
      approve(userCode, user = firstUser) {
        checkUser(user);
        devices.decide(waitingDevice(userCode), { user });
      },
      deny(userCode) {
        devices.decide(waitingDevice(userCode), 'denied');
      },
      revoke(user) {
        checkUser(user);
        return signIns.revoke(user);
      },
    };
  }
}
