import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serving } from '../support/serving.ts';

/** Plain node:http, answering what examples/hello.ts answers, written in the way that node:http likes best. */
const BODY = '<html><body>Hello, World!</body></html>';
const HEADERS = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': BODY.length };

const server = createServer((_request, response) => {
  response.writeHead(200, HEADERS);
  response.end(BODY);
});
server.listen({ port: 0, host: '127.0.0.1' }, () => {
  serving((server.address() as AddressInfo).port, () => server.closeAllConnections());
});
