/** The task of naive.ts. */
export default function hello(): { headers: Record<string, string>; body: string } {
  return {
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: '<html><body>Hello, World!</body></html>',
  };
}
