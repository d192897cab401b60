/** The longest that a runtime may let its sessions live, in milliseconds: `maxLifetime` ends at 14 days. */
export const MAX_LIFETIME = 14 * 24 * 60 * 60 * 1000;
