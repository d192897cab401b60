import { AgentCoreError } from '../../../base/errors.ts';
import { getStartUrl, type SsoConfig } from '../../config/identity-schema.ts';
import type { AwsService } from '../../http/service.ts';
import type { Platform } from '../platform.ts';
import { OidcApi } from './oidc-service.ts';
import { AuthorizePage, DevicePage } from './pages.ts';
import { PortalApi } from './portal-service.ts';
import { type DeviceAuthorization, IdentityCenter, type LiveToken } from './sign-ins.ts';

interface WaitingDevice {
  readonly userCode: string;
  /** Registered name of the client. */
  readonly client: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The identity center for tests, with operations that the pages do not have. */
export interface LocalSso {
  readonly startUrl: string;
  readonly region: string;
  /** Names of the users. Users have no passwords. */
  readonly users: readonly string[];
  /** Valid access tokens, oldest first, without their values. */
  readonly tokens: readonly LiveToken[];
  /** Device authorizations without a decision, oldest first. */
  readonly waiting: readonly WaitingDevice[];
  /**
   * Approves a device.
   *
   * @param user Default: the first user of the configuration.
   * @throws {AgentCoreError} `usage` if no device waits with this code, or the user does not exist.
   */
  approve(userCode: string, user?: string): void;
  /**
   * Denies a device.
   *
   * @throws {AgentCoreError} `usage` if no device waits with this code.
   */
  deny(userCode: string): void;
  /**
   * Ends all sign-ins of a user and returns their number. As on AWS, role credentials remain valid.
   *
   * @throws {AgentCoreError} `usage` if the user does not exist.
   */
  revoke(user: string): number;
}

/** IAM Identity Center: its APIs, its pages and the interface for tests. */
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

  /** Creates the interface for tests, for a local runtime at `origin`. */
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
      startUrl: getStartUrl(config, origin),
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
