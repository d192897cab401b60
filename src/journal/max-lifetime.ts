/** The maximum `maxLifetime` of a runtime, 14 days, in milliseconds. */
export const MAX_LIFETIME = 14 * 24 * 60 * 60 * 1000;
