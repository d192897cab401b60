import { rm } from 'node:fs/promises';
import { ServersModel } from '../../../src/extension/models/servers-model.ts';
import type { SessionsModel } from '../../../src/extension/models/sessions-model.ts';
import { createProgramRecord, readProcessState } from '../../../src/state/journal/processes.ts';
import { temporaryFolder, writePart } from '../../state/journal/fixture.ts';
import { EventEmitter } from '../vscode-stub.ts';

/** A journal in which this process stands for the proxies, and the model that reads it. */
export async function journalOfServers() {
  const folder = await temporaryFolder();
  const recorded = new EventEmitter<unknown>();
  const running = new ServersModel({
    sessions: async () => ({ folder }),
    onDidRecord: recorded.event,
    onDidChange: recorded.event,
  } as unknown as SessionsModel);
  const begin = (name: string, run = name, parentPid = process.pid, pid = process.pid) => {
    const own = createProgramRecord({
      program: 'proxy',
      version: '1.0.0',
      part: 0,
      at: new Date(),
      name,
    });
    return writePart(folder, run, { ...own, ...startOf(pid), parentPid, pid }, [], new Date());
  };
  return {
    running,
    recorded,
    /**
     * Writes the first record of a server of this window. Returns the path of the file. The server
     * counts as running while the file exists.
     */
    begin,
    end: (path: string) => rm(path),
  };
}

/**
 * The start time of the process, if the system provides it. The journal uses it to recognize a
 * later process of the same id.
 */
function startOf(pid: number): { readonly processStart?: string } {
  const start = readProcessState(pid)?.start;
  return start === undefined ? {} : { processStart: start };
}
