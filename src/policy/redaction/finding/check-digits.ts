/** True if the last digit is the check digit of Luhn's algorithm (ISO/IEC 7812-1). */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, doubled = false; at >= 0; at--, doubled = !doubled) {
    const digit = digits.charCodeAt(at) - 48;
    sum += doubled ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum % 10 === 0;
}

/** The remainder of a decimal number of any length. */
export function computeRemainder(digits: string, divisor: number): number {
  let rest = 0;
  for (let at = 0; at < digits.length; at++) {
    rest = (rest * 10 + digits.charCodeAt(at) - 48) % divisor;
  }
  return rest;
}

/** The sum of digits, each multiplied by its weight. */
export function computeWeightedSum(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, at) => sum + weight * (digits.charCodeAt(at) - 48), 0);
}

/** ISO/IEC 7064, MOD 11,10: the last digit is the check digit. */
export function passesMod11With10(digits: string): boolean {
  let product = 10;
  for (let at = 0; at < digits.length - 1; at++) {
    const sum = (digits.charCodeAt(at) - 48 + product) % 10 || 10;
    product = (2 * sum) % 11;
  }
  return (11 - product) % 10 === digits.charCodeAt(digits.length - 1) - 48;
}

const VERHOEFF_PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/** Verhoeff's algorithm: the last digit is the check digit. */
export function passesVerhoeff(digits: string): boolean {
  let check = 0;
  for (let place = 0; place < digits.length; place++) {
    let digit = digits.charCodeAt(digits.length - 1 - place) - 48;
    for (let times = place % 8; times > 0; times--) digit = VERHOEFF_PERMUTATION[digit] as number;
    check = multiplyDihedral(check, digit);
  }
  return check === 0;
}

/** The product in the dihedral group of order ten. */
function multiplyDihedral(one: number, other: number): number {
  if (one < 5) return other < 5 ? (one + other) % 5 : 5 + ((one + other - 5) % 5);
  return other < 5 ? 5 + ((one - 5 - other + 5) % 5) : (one - other + 5) % 5;
}

/** EAN-13, with alternating weights 1 and 3, for books (ISO 2108) and all other articles. */
export function isArticleNumber(digits: string): boolean {
  return computeWeightedSum(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0;
}

/** An ISBN of ten or thirteen digits. */
export function isBookNumber(digits: string): boolean {
  if (digits.length === 13) return /^97[89]/.test(digits) && isArticleNumber(digits);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const last = digits.endsWith('X') ? 10 : digits.charCodeAt(9) - 48;
  return (computeWeightedSum(digits.slice(0, 9), [10, 9, 8, 7, 6, 5, 4, 3, 2]) + last) % 11 === 0;
}
