import * as z from 'zod';

/** Node fires a timer immediately if its delay is longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const MAX_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/** Seconds within Node's timer limit. */
export const seconds = z
  .number()
  .positive('more than 0 seconds')
  .max(MAX_SECONDS, `${MAX_SECONDS} seconds (24 days) at most`);

/** Milliseconds within Node's timer limit. */
export const milliseconds = z
  .number()
  .min(0, '0 milliseconds or more')
  .max(MAX_TIMER_MS, `${MAX_TIMER_MS} milliseconds (24 days) at most`);
