import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryVault } from '../../../src/redaction/tokens.ts';
import { EncryptedVault } from '../../../src/state/files/vault-file.ts';
import { received, redactorOf, sent } from '../../policy/redaction/redaction-fixture.ts';
import { temporaryFolder } from '../journal/fixture.ts';

const KEY = randomBytes(32);

async function openVault(folder: string, more: object = {}) {
  const vault = await EncryptedVault.open({ folder, key: KEY, ...more });
  onTestFinished(() => vault.close());
  return vault;
}

test('a token outlives its process, and no file shows its original', async () => {
  const folder = join(await temporaryFolder(), 'vault');
  const token = await sent(await redactorOf({}, await openVault(folder)), 'me@example.com');
  const [name] = await readdir(folder);
  const path = join(folder, name as string);
  expect(await readFile(path, 'latin1')).not.toMatch(/example|email/);
  if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600);
  const later = await redactorOf({}, await openVault(folder));
  expect(await received(later, token)).toBe('me@example.com');
});

test('two concurrent processes share their tokens', async () => {
  const folder = join(await temporaryFolder(), 'vault');
  const [one, other] = await Promise.all(
    [1, 2].map(async () => redactorOf({}, await openVault(folder))),
  );
  if (!one || !other) throw new Error('There are two');
  for (const text of ['a@example.com', 'b@example.com']) {
    expect(await received(other, await sent(one, text))).toBe(text);
    expect(await received(one, await sent(other, `more ${text}x`))).toBe(`more ${text}x`);
  }
});

test('entries with another key and modified files are ignored', async () => {
  const folder = join(await temporaryFolder(), 'vault');
  const token = await sent(await redactorOf({}, await openVault(folder)), 'me@example.com');
  const stranger = await redactorOf({}, await openVault(folder, { key: randomBytes(32) }));
  await expect(received(stranger, token)).rejects.toMatchObject({ code: 'protocol' });

  const path = join(folder, (await readdir(folder))[0] as string);
  const line = (await readFile(path, 'latin1')).trim();
  const bytes = Buffer.from(line, 'base64');
  bytes[20] = (bytes[20] as number) ^ 1;
  await writeFile(path, `not base64 at all\n${bytes.toString('base64')}\n`);
  const later = await redactorOf({}, await openVault(folder));
  await expect(received(later, token)).rejects.toMatchObject({ code: 'protocol' });
});

test('nothing is sent while the vault cannot be written', async () => {
  const folder = join(await temporaryFolder(), 'vault');
  await writeFile(folder, 'a file in the way');
  const open = EncryptedVault.open({ folder, key: KEY });
  await expect(open).rejects.toMatchObject({ code: 'config' });

  const elsewhere = join(await temporaryFolder(), 'vault');
  const redactor = await redactorOf({}, await openVault(elsewhere));
  await writeFile(elsewhere, 'a file in the way');
  await expect(sent(redactor, 'me@example.com')).rejects.toMatchObject({ code: 'config' });
  expect(await sent(redactor, 'nothing to keep')).toBe('nothing to keep');
  await rm(elsewhere);
  const token = await sent(redactor, 'me@example.com');
  const later = await redactorOf({}, await openVault(elsewhere));
  expect(await received(later, token)).toBe('me@example.com');
});

test('the size of all files is bounded, and the oldest are removed', async () => {
  const folder = join(await temporaryFolder(), 'vault');
  const bounds = { partBytes: 2_000, maxBytes: 8_000 };
  const redactor = await redactorOf({}, await openVault(folder, bounds));
  const first = await sent(redactor, 'user0@example.com');
  let latest: unknown;
  for (let user = 1; user < 100; user++) latest = await sent(redactor, `user${user}@example.com`);
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(10_000);
  const later = await redactorOf({}, await openVault(folder, bounds));
  expect(await received(later, latest)).toBe('user99@example.com');
  await expect(received(later, first)).rejects.toMatchObject({ code: 'protocol' });
});

test('a key of another length is rejected', async () => {
  const folder = join(await temporaryFolder(), 'vault');
  await mkdir(folder);
  const open = EncryptedVault.open({ folder, key: Buffer.alloc(16) });
  await expect(open).rejects.toMatchObject({ code: 'config' });
});

test('a vault in memory is bounded, and drops the least recently used values', async () => {
  const redactor = await redactorOf({}, new MemoryVault(2_000));
  const first = await sent(redactor, 'user0@example.com');
  const used = await sent(redactor, 'used@example.com');
  for (let user = 1; user < 20; user++) {
    await sent(redactor, `user${user}@example.com`);
    expect(await received(redactor, used)).toBe('used@example.com');
  }
  await expect(received(redactor, first)).rejects.toMatchObject({ code: 'protocol' });
});
