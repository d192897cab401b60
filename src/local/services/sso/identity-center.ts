import type { Clock } from '../../clock.ts';
import type { Switches } from '../../switches.ts';
import { AuthorizationCodes } from './authorization-codes.ts';
import { ClientRegistrations } from './client-registrations.ts';
import { DeviceAuthorizations } from './device-authorizations.ts';
import { SignIns } from './sign-ins.ts';
import type { SsoConfig } from './sso-config.ts';

/** State shared by the APIs and the pages. It is not kept across restarts. */
export class IdentityCenter {
  readonly config: SsoConfig;
  readonly clients: ClientRegistrations;
  readonly codes: AuthorizationCodes;
  readonly devices: DeviceAuthorizations;
  readonly signIns: SignIns;

  constructor(config: SsoConfig, switches: Switches, clock: Clock) {
    this.config = config;
    this.clients = new ClientRegistrations(config, clock);
    this.codes = new AuthorizationCodes(config, clock);
    this.devices = new DeviceAuthorizations(config, clock);
    this.signIns = new SignIns(config, switches, clock);
  }
}
