/** Holds its thread for `?ms=`. */
export default async function hold(request: { url: string }): Promise<string> {
  const ms = Number(new URL(request.url, 'http://bench').searchParams.get('ms'));
  await new Promise((resolve) => setTimeout(resolve, ms));
  return 'held';
}
