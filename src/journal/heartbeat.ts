/** Milliseconds between touches of a program's journal file. */
export const HEARTBEAT = 10_000;

/** If no other check is possible, a program counts as dead after this many missed heartbeats. */
export const HEARTBEATS_MISSED = 3;
