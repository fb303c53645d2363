/**
 * The segments of a path, decoded, without their parameters (`;…`); null: it is none, or can't be decoded.
 */
export function segmentsOf(path: string): readonly string[] | null {
  if (!path.startsWith('/')) return null;
  const segments = path.slice(1).split('/');
  for (let index = 0; index < segments.length; index += 1) {
    let segment = segments[index] as string;
    const parameter = segment.indexOf(';');
    if (parameter !== -1) segment = segment.slice(0, parameter);
    if (segment.includes('%')) {
      try {
        segment = decodeURIComponent(segment);
      } catch {
        return null;
      }
    }
    segments[index] = segment;
  }
  return segments;
}
