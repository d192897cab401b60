import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RoleTargets } from '../../../src/aws/credentials/recent-roles.ts';
import { temporaryFolder } from '../../fixtures/tls.ts';

const arn = (name: string) => `arn:aws:iam::123456789012:role/${name}`;
const role = (name: string) => ({ arn: arn(name), sessionName: 'me' });

async function targetsOf(): Promise<{ targets: RoleTargets; file: string }> {
  const state = join(await temporaryFolder(), 'state');
  return { targets: new RoleTargets(state), file: join(state, 'role-targets.json') };
}

describe('role targets', () => {
  it('are listed with the named ones first, then by last use', async () => {
    const { targets } = await targetsOf();
    await targets.touch(role('a'), new Date('2026-01-01'));
    await targets.touch(role('b'), new Date('2026-01-02'));
    await targets.add({ ...role('c'), name: 'production' });
    await targets.touch(role('a'), new Date('2026-01-03'));
    expect((await targets.list()).map((target) => target.arn)).toEqual(['c', 'a', 'b'].map(arn));
  });

  it('keep their name when they are used, and record the profile that they were used with', async () => {
    const { targets } = await targetsOf();
    await targets.add({ ...role('a'), name: 'production' });
    await targets.touch({ ...role('a'), wantsExternalId: true }, new Date('2026-01-01'));
    expect(await targets.list()).toEqual([
      {
        ...role('a'),
        name: 'production',
        wantsExternalId: true,
        lastUsedAt: '2026-01-01T00:00:00.000Z',
      },
    ]);
  });

  it('are replaced by name and removed', async () => {
    const { targets } = await targetsOf();
    await targets.add({ ...role('a'), name: 'production' });
    await targets.add({ ...role('b'), name: 'production' });
    await targets.touch(role('c'));
    await targets.remove({ ...role('x'), name: 'production' });
    expect((await targets.list()).map((target) => target.arn)).toEqual([arn('c')]);
  });

  it('are limited in number, and the least recently used ones are dropped first', async () => {
    const { targets } = await targetsOf();
    await targets.add({ ...role('kept'), name: 'kept' });
    for (let day = 0; day < 60; day++) {
      await targets.touch(role(`r${day}`), new Date(2026, 0, 1 + day));
    }
    const arns = (await targets.list()).map((target) => target.arn);
    expect(arns).toHaveLength(50);
    expect(arns[0]).toBe(arn('kept'));
    expect(arns).toContain(arn('r59'));
    expect(arns).not.toContain(arn('r5'));
  });

  it('survive programs that write at the same time, in a file that only its owner can read', async () => {
    const { targets, file } = await targetsOf();
    await Promise.all(Array.from({ length: 10 }, (_, at) => targets.touch(role(`r${at}`))));
    expect(await targets.list()).toHaveLength(10);
    if (process.platform !== 'win32') expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, 'utf8')).targets).toHaveLength(10);
  });

  it.skipIf(process.platform === 'win32')(
    'leave the mode of an existing state folder',
    async () => {
      const { targets, file } = await targetsOf();
      await mkdir(dirname(file));
      await chmod(dirname(file), 0o755);
      await targets.touch(role('a'));
      expect((await stat(dirname(file))).mode & 0o777).toBe(0o755);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    },
  );

  it('are empty if the file is broken, and can be written again', async () => {
    const { targets, file } = await targetsOf();
    await targets.touch(role('a'));
    await writeFile(file, '{"targets": [{"arn": 1}, null');
    expect(await targets.list()).toEqual([]);
    await targets.touch(role('b'));
    expect(await targets.list()).toHaveLength(1);
  });
});
