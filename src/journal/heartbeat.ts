/** How often, in milliseconds, a program that keeps a journal touches its file. */
export const HEARTBEAT = 10_000;

/** Where nothing else tells, a program is dead after so many heartbeats that did not come. */
export const HEARTBEATS_MISSED = 3;
