import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StartedHost } from '../support/started-host.ts';
import { continuationsOf, Visitor } from '../support/visitor.ts';

const TOKEN = /;k=(r0\.\d+-\d+-[\w-]{8})\.(\d+)\.(\d+)\.([\w-]{22})$/;

const SUM = `
  import { html, sendSuspend } from '@custodian/worker';
  async function ask(label) {
    const reply = await sendSuspend((url) => html\`<form action="\${url}">\${label}<input name="number"></form>\`);
    return Number(reply.bindings.get('number'));
  }
  export default async function start() {
    const m = await ask('First');
    const n = await ask('Second');
    return html\`The sum is \${m + n}\`;
  }`;
const EXPIRING = `${SUM}
  import { createTimeoutManager } from '@custodian/worker';
  export const manager = createTimeoutManager({
    instanceTimeoutMs: 60_000, continuationTimeoutMs: 60_000, onExpired: () => ({ status: 410, body: 'EXPIRED by the manager' }),
  });`;

describe('B. continuation URLs', () => {
  let started: StartedHost;
  let visitor: Visitor;
  beforeAll(async () => {
    started = await StartedHost.start({ sum2: SUM, expiring: EXPIRING });
    visitor = new Visitor(started.url);
  });
  afterAll(() => started[Symbol.asyncDispose]());

  test('C015 the URL is the path with replica, cell, instance, continuation and nonce; the second suspension is 2 of the same instance', async () => {
    const first = await visitor.get('/sum2');
    const [k1] = continuationsOf(first);
    expect(k1).toMatch(/^\/sum2;k=/);
    const [, place, instance, id, nonce] = TOKEN.exec(k1!)!;
    expect([Number(instance) >= 1, id]).toEqual([true, '1']);
    const [k2] = continuationsOf(await visitor.follow(first, { number: '3' }));
    const second = TOKEN.exec(k2!)!;
    expect(second.slice(1, 4)).toEqual([place, instance, '2']);
    expect(second[4]).not.toBe(nonce);
  });

  test('the parameter stands on the last piece of the path, also where that is empty', async () => {
    const first = await visitor.get('/sum2/deep/');
    expect(continuationsOf(first)[0]).toMatch(/^\/sum2\/deep\/;k=/);
    const second = await visitor.follow(first, { number: '3' });
    expect(continuationsOf(second)[0]).toMatch(/^\/sum2\/deep\/;k=/);
    expect((await visitor.follow(second, { number: '4' })).text).toBe('The sum is 7');
  });

  test('C016 the query is dropped', async () => {
    const page = await visitor.get('/sum2?x=1');
    expect(continuationsOf(page)[0]).toMatch(/^\/sum2;k=/);
    expect(page.text).not.toContain('?');
  });

  test('C018 a foreign parameter of the path stays', async () => {
    const [k1] = continuationsOf(await visitor.get('/sum2;z=1'));
    expect(k1).toMatch(/^\/sum2;z=1;k=/);
    const [k2] = continuationsOf(await visitor.get(`${k1}?number=3`));
    expect(k2).toMatch(/^\/sum2;z=1;k=/);
    expect(k2).not.toBe(k1);
  });

  test('C019 a wrong nonce is answered as expired, by the manager’s handler; the right one still works', async () => {
    const page = await visitor.get('/expiring');
    const [k1] = continuationsOf(page);
    const nonce = TOKEN.exec(k1!)![4]!;
    const wrong = k1!.replace(nonce, `${nonce[0] === 'A' ? 'B' : 'A'}${nonce.slice(1)}`);
    expect((await visitor.get(`${wrong}?number=3`)).text).toBe('EXPIRED by the manager');
    const unknown = k1!.replace(TOKEN, `;k=${TOKEN.exec(k1!)![1]}.999.1.${nonce}`);
    expect((await visitor.get(unknown)).text).toBe('EXPIRED by the manager');
    expect((await visitor.follow(page, { number: '3' })).text).toContain('Second');
  });

  test('C021 a parameter that is no address is a fresh start', async () => {
    for (const junk of [';xyz', ';((', ';k=', ';k=xyz', ';k=r0.1-1.1.1.short', ';k', ';%28%28%22k%22'])
      expect((await visitor.get(`/sum2${junk}`)).text).toContain('First');
    const [k1] = continuationsOf(await visitor.get('/sum2;k=xyz'));
    expect(k1!.match(/;k=/g)).toHaveLength(1);
  });

  test('C022 method and path do not matter', async () => {
    const page = await visitor.get('/sum2');
    expect((await visitor.post(page, { number: '5' })).text).toContain('Second');
    const parameter = /;k=.*/.exec(continuationsOf(page)[0]!)![0];
    expect((await visitor.get(`/sum2/else/where${parameter}?number=5`)).text).toContain('Second');
    expect((await visitor.get(`/sum2${parameter}/else/where?number=5`)).text).toContain('Second');
  });

  test('C024 the next URL belongs to the path of the present request', async () => {
    const parameter = /;k=.*/.exec(continuationsOf(await visitor.get('/sum2'))[0]!)![0];
    const next = await visitor.get(`/sum2/elsewhere${parameter}?number=5`);
    expect(continuationsOf(next)[0]).toMatch(/^\/sum2\/elsewhere;k=/);
    expect((await visitor.follow(next, { number: '6' })).text).toContain('The sum is 11');
  });

  test('a path that begins with two slashes leads to no other host', async () => {
    const client = await started.connect();
    const { body } = await client.get('//sum2');
    expect(/action="([^"]*)"/.exec(body.toString())![1]).toMatch(/^\/sum2;k=/);
  });

  test('a page with a continuation is for its visitor only, unless the author says otherwise', async () => {
    const { headers } = await visitor.get('/sum2');
    expect([headers.get('referrer-policy'), headers.get('cache-control')]).toEqual(['same-origin', 'no-store']);
  });
});
