/** Computes and allocates for `?ms=`, and tells how often it got round per ms. */
export default function spin(request: { url: string }): string {
  const ms = Number(new URL(request.url, 'http://bench').searchParams.get('ms'));
  return String(spun(ms));
}

/** Rounds per ms on the wall, of work that makes garbage and keeps some. */
export function spun(ms: number): number {
  const start = performance.now();
  let kept: string[] = [];
  let rounds = 0;
  for (; performance.now() - start < ms; rounds++) {
    const cells = Array.from({ length: 40 }, (_, at) => `<td>${at * rounds}</td>`);
    kept.push(cells.join(''));
    if (kept.length > 2000) kept = kept.slice(1000);
  }
  return rounds / (performance.now() - start);
}
