import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What a process has open, by descriptor; nothing where the system does not tell. */
export type Descriptors = ReadonlyMap<string, string>;

const FOLDER = '/proc/self/fd';

/** What this process has open. The pipe by which Node hears of its children is opened first. */
export async function openDescriptors(): Promise<Descriptors> {
  await once(spawn(process.execPath, ['--version'], { stdio: 'ignore' }), 'close');
  return listed();
}

/** What has been opened since and stays open, in words. */
export async function descriptorsSince(before: Descriptors): Promise<readonly string[]> {
  // Sockets that are closed go with the next turns of the event loop.
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

/** What the kernel knows of a socket: its addresses, or that it leads to a child. */
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
    // Node keeps one in reserve, from some moment on, for when there are no more.
    return target === '/dev/null' ? [] : [[descriptor, target]];
  } catch {
    // The one by which the folder itself is listed.
    return [];
  }
}
