import type { ScalarTag } from 'yaml';

/** Integers of YAML 1.1 and 1.2, as in Go's `strconv.ParseInt` with base 0. */
const INTEGER = /^([-+]?)(?:0[xX]([\da-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/;

const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;

const NO_NUMBER = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

const DATE =
  /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;

type Complain = (message: string) => void;

/**
 * Number tags as in gopkg.in/yaml.v3 (resolve.go), the YAML reader of Intercept. It ignores
 * underscores, reads `0100` as octal, and treats sexagesimal numbers as text.
 *
 * @param refusesDates True if an unquoted date is an error: yaml.v3 reads it as a time, and a time
 *   never equals a text.
 */
export function createNumberTags(refusesDates: boolean): ScalarTag[] {
  const resolve = (text: string, complain: Complain): unknown => {
    if (DATE.test(text)) {
      if (refusesDates) complain(`"${text}" is a date. Put it in quotes to compare it as text`);
      return text;
    }
    return parseNumber(text, complain) ?? text;
  };
  return ['int', 'float'].map((type) => ({
    tag: `tag:yaml.org,2002:${type}`,
    default: true,
    test: /^[-+]?[.\d]/,
    resolve,
  }));
}

/** `undefined` if the text is not a number. */
function parseNumber(text: string, complain: Complain): number | undefined {
  if (NO_NUMBER.test(text)) {
    complain(`"${text}" is no number that can be compared`);
    return undefined;
  }
  // yaml.v3 removes underscores only if the first character is a digit or a sign.
  const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
  const integer = parseInteger(plain);
  const number = integer === undefined && FLOAT.test(plain) ? Number(plain) : Number(integer);
  if (Number.isNaN(number)) return undefined;
  const isExact = integer === undefined ? Number.isFinite(number) : BigInt(number) === integer;
  if (!isExact) complain(`"${text}" is too large to be compared exactly. Put it in quotes`);
  return number;
}

function parseInteger(plain: string): bigint | undefined {
  const match = INTEGER.exec(plain);
  if (!match) return undefined;
  const [, sign, hexadecimal, binary, octal, decimal = '0'] = match;
  const magnitude = hexadecimal
    ? `0x${hexadecimal}`
    : binary
      ? `0b${binary}`
      : octal
        ? `0o${octal}`
        : decimal;
  return sign === '-' ? -BigInt(magnitude) : BigInt(magnitude);
}
