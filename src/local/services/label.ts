/** A part of a path as its sender meant it; as it stands where its percent-encoding is broken. */
export function decodeLabel(label: string): string {
  try {
    return decodeURIComponent(label);
  } catch {
    return label;
  }
}
