/** Writes a line of the transcript. */
export function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}
