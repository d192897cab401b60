/** Decodes a path segment. Returns it unchanged if its percent-encoding is invalid. */
export function decodeLabel(label: string): string {
  try {
    return decodeURIComponent(label);
  } catch {
    return label;
  }
}
