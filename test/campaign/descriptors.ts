import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
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
  return newcomers(before).map(([descriptor, target]) => `${descriptor} is ${target}`);
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

function targetOf(descriptor: string): [string, string][] {
  try {
    return [[descriptor, readlinkSync(`${FOLDER}/${descriptor}`)]];
  } catch {
    // The one by which the folder itself is listed.
    return [];
  }
}
