/** What stands right before a version rather than an address or a number of somebody's. */
const VERSION_BEFORE =
  /(?:\b(?:versions?|ver|v|releases?|rev|build|builds|firmware|fw|kernel|assembly|oid|sections?|sect|chapter|clause|figure|table|paragraph|appendix|rfc)\b|§)[\w-]{0,12}["']?\s?[=:]?\s?["'(]?(?:is |to |from |of |>=?|<=?|\^|~>?|==?)?\s?v?$/i;
/** An operator of a range, a product's token as in `Chrome/126.0.1.2`, a line of a lock file. */
const OPERATOR_BEFORE = /(?:[<>~^!=]=|[~^]|~>)\s?$|\b[A-Z][A-Za-z]{2,}\/$|(?:^|\n) {2,}[\w-]+ \($/;
const VERSION_MEMBER = /(?:^|[a-z_.-])(?:version|release|build|firmware|semver|oid)s?$/i;
/** Characters that are looked at. */
const REACH = 40;

/** Whether a place of a text, or the member it is the value of, has a version rather than somebody's number. */
export function isVersionAt(text: string, start: number, member: string | undefined): boolean {
  if (member !== undefined && VERSION_MEMBER.test(member)) return true;
  const before = text.slice(Math.max(0, start - REACH), start);
  return before !== '' && (VERSION_BEFORE.test(before) || OPERATOR_BEFORE.test(before));
}
