/** The levels of MCP's logging (RFC 5424), from the chattiest on. */
const LOG_LEVELS = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Takes a sentence. Whoever calls it keeps secrets, tokens and signatures out. */
export type Log = (level: LogLevel, sentence: string) => void;

/** True where something of this level is to be said when `threshold` was asked for. */
export function isLoud(level: LogLevel, threshold: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(threshold);
}

export function isLogLevel(text: unknown): text is LogLevel {
  return LOG_LEVELS.includes(text as LogLevel);
}
