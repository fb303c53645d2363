import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Piscina } from 'piscina';
import { serving } from '../support/serving.ts';

/** The design that first comes to mind: node:http, and a task of a thread pool for each request. */
const pool = new Piscina<
  { method: string; url: string; headers: object },
  { headers: Record<string, string>; body: string }
>({
  filename: new URL('naive-task.ts', import.meta.url).href,
});

const server = createServer((request, response) => {
  const { method = '', url = '', headers } = request;
  void pool.run({ method, url, headers }).then((answer) => {
    response.writeHead(200, { ...answer.headers, 'Content-Length': answer.body.length });
    response.end(answer.body);
  });
});
server.listen({ port: 0, host: '127.0.0.1' }, () => {
  serving((server.address() as AddressInfo).port, () => pool.destroy());
});
