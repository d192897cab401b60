/** Text right before a version, as opposed to an address or a personal number. */
const VERSION_BEFORE =
  /(?:\b(?:versions?|ver|v|releases?|rev|build|builds|firmware|fw|kernel|assembly|oid|sections?|sect|chapter|clause|figure|table|paragraph|appendix|rfc)\b|§)[\w-]{0,12}["']?\s?[=:]?\s?["'(]?(?:is |to |from |of |>=?|<=?|\^|~>?|==?)?\s?v?$/i;

/** A range operator, a product token such as `Chrome/126.0.1.2`, or a line of a lock file. */
const OPERATOR_BEFORE = /(?:[<>~^!=]=|[~^]|~>)\s?$|\b[A-Z][A-Za-z]{2,}\/$|(?:^|\n) {2,}[\w-]+ \($/;

const VERSION_MEMBER = /(?:^|[a-z_.-])(?:version|release|build|firmware|semver|oid)s?$/i;

/** Number of characters to check before a place. */
const CONTEXT_REACH = 40;

/** Whether a place, or the value of the member, is a version and not a personal number. */
export function isVersionAt(text: string, start: number, member: string | undefined): boolean {
  if (member !== undefined && VERSION_MEMBER.test(member)) return true;
  const before = text.slice(Math.max(0, start - CONTEXT_REACH), start);
  return before !== '' && (VERSION_BEFORE.test(before) || OPERATOR_BEFORE.test(before));
}
