import * as z from 'zod';

/** Node calls back at once what is set for later than this. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/** Seconds that a timer can wait. */
export const seconds = z
  .number()
  .positive('more than 0 seconds')
  .max(MAX_SECONDS, `${MAX_SECONDS} seconds (24 days) at most`);

/** Milliseconds that a timer can wait. */
export const milliseconds = z
  .number()
  .min(0, '0 milliseconds or more')
  .max(MAX_TIMER_MS, `${MAX_TIMER_MS} milliseconds (24 days) at most`);
