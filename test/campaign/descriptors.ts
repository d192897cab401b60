import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** The open files of a process by descriptor. Empty if the system does not provide them. */
export type Descriptors = ReadonlyMap<string, string>;

const FOLDER = '/proc/self/fd';

/**
 * The open descriptors of this process. First opens the pipe through which Node watches its child
 * processes.
 */
export async function openDescriptors(): Promise<Descriptors> {
  await once(spawn(process.execPath, ['--version'], { stdio: 'ignore' }), 'close');
  return listed();
}

/** Descriptions of the descriptors that were opened since and are still open. */
export async function descriptorsSince(before: Descriptors): Promise<readonly string[]> {
  // Closed sockets disappear in the next turns of the event loop.
  for (let turn = 0; turn < 20 && newcomers(before).length > 0; turn += 1) await delay(50);
  return newcomers(before).map(
    ([descriptor, target]) => `${descriptor} is ${target} ${socketWords(target)}`,
  );
}

function newcomers(before: Descriptors): (readonly [string, string])[] {
  return [...listed()].filter(([descriptor, target]) => before.get(descriptor) !== target);
}

function listed(): Descriptors {
  try {
    return new Map(readdirSync(FOLDER).flatMap(targetOf));
  } catch {
    return new Map();
  }
}

/** The kernel's data about a socket: its addresses, or that it leads to a child process. */
function socketWords(target: string): string {
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  if (inode === undefined) return '';
  const lines = ['tcp', 'unix'].flatMap((kind) =>
    readFileSync(`/proc/net/${kind}`, 'utf8')
      .split('\n')
      .filter((line) => line.split(/\s+/).includes(inode))
      .map((line) => `${kind} ${line.trim()}`),
  );
  return lines.join(' ') || 'of no connection';
}

function targetOf(descriptor: string): [string, string][] {
  try {
    const target = readlinkSync(`${FOLDER}/${descriptor}`);
    // Node keeps one descriptor in reserve for the case that none are left.
    return target === '/dev/null' ? [] : [[descriptor, target]];
  } catch {
    // The descriptor that lists the folder itself.
    return [];
  }
}
