import { AgentCoreError } from '../error.ts';

/** Variables that a client, shell or template did not replace. */
const PLACEHOLDER = /\$\{[^}]*\}|\{\{[^}]*\}\}|^\$\w+$|^%\w+%$|^<[^<>]*>$/;

/**
 * Describes a syntax error in a value. The text never contains the value, which may be secret. It
 * is the end of a sentence about the setting:
 * `is in quotes, which belong to the value: remove them`.
 */
export function describeValueFault(value: string): string | undefined {
  const [placeholder] = PLACEHOLDER.exec(value) ?? [];
  if (placeholder) {
    return `has the placeholder ${placeholder}, which was not replaced: set the variable where the program is started, or write the value`;
  }
  if (/^(["'“‘`]).*["'”’`]$/s.test(value)) {
    return 'is in quotes, which belong to the value: remove them';
  }
  if (/^ENC\[/.test(value)) return 'is encrypted: decrypt the file first';
  if (value.includes('\n')) {
    return 'has more than one line, because the line after it is indented: remove the indentation';
  }
  if (/\s[#;]/.test(value)) {
    return 'has a comment behind it, which belongs to the value: put the comment on a line of its own';
  }
  return undefined;
}

/**
 * Trims a key or token. Files and clipboards add whitespace.
 *
 * @param name The name of the setting, for the error: `AWS_ACCESS_KEY_ID`.
 * @throws {AgentCoreError} `credentials` if it is not valid in a header. The error omits the value.
 */
export function normalizeKey(value: string, name: string): string {
  const text = value.trim();
  const fault = describeValueFault(text) ?? (/^[!-~]*$/.test(text) ? undefined : WRONG_CHARACTERS);
  if (fault) {
    throw new AgentCoreError('credentials', `Could not use the AWS credentials: ${name} ${fault}`);
  }
  return text;
}

const WRONG_CHARACTERS =
  'has spaces, line breaks or other characters in it that no key has: copy it again';
