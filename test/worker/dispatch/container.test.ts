import { describe, expect, it } from 'vitest';
import {
  createContainer,
  nextDispatcher,
  NextDispatcherError,
  rule,
  type ServletRequest,
  stringArg,
} from '../../../packages/worker/src/index.ts';
import { servletRequest } from '../../support/servlet-request.ts';
import { CompiledServlet } from '../servlet/compiled-servlet.ts';

const show = (_request: ServletRequest, name: string): string => `old ${name}`;

describe('createContainer()', () => {
  it('add() puts rules in front, and those that leave a request to others leave it to older ones', async () => {
    const site = createContainer();
    site.add(rule`/${stringArg}`(show));
    site.add(
      rule`/new`(() => 'new'),
      rule`/next`(() => nextDispatcher()),
      rule`/later`(async () => nextDispatcher()),
      rule`/fails`(async () => Promise.reject(new Error('failed'))),
    );
    const get = (url: string) => site.dispatch(servletRequest(url));
    expect([get('/new'), get('/next'), get('/other')]).toEqual(['new', 'old next', 'old other']);
    expect(await get('/later')).toBe('old later');
    await expect(get('/fails')).rejects.toThrow('failed');
    expect(() => get('/a/b')).toThrow(NextDispatcherError);
    expect([site.applies(servletRequest('/new')), site.applies(servletRequest('/a/b'))]).toEqual([true, false]);
  });

  it('url() finds the newest rule of a function', () => {
    const site = createContainer();
    expect(() => site.url(show, 'x')).toThrow('no rule leads to the function "show"');
    site.add(rule`/old/${stringArg}`(show));
    site.add(rule`/new/${stringArg}`(show));
    expect(site.url(show, 'x')).toBe('/new/x');
  });
});

const SERVLET = `import { createContainer, dispatchRules, html, nextDispatcher, rule, integerArg, sendSuspend } from '@custodian/worker';
  async function ask(request, n) {
    const first = await sendSuspend((url) => html\`<a href="\${url}">first</a>\`);
    const second = await sendSuspend((url) => html\`<a href="\${url}">\${first.query.get('x')}</a>\`);
    return html\`\${n} \${first.query.get('x')} \${second.query.get('x')}\`;
  }`;
const RULES = 'rule`/rules/${integerArg}`(ask)';

describe('a suspending function behind rules', () => {
  it.each([
    ['dispatchRules', `export default dispatchRules(${RULES}).dispatch;`],
    [
      'dispatchRules within a function',
      `const { dispatch } = dispatchRules(${RULES}); export default async (request) => html\`[\${await dispatch(request)}]\`;`,
    ],
    ['a container', `const site = createContainer(); site.add(${RULES}); export default site.dispatch;`],
    [
      'a container whose newer rules left it alone, now and later',
      `const site = createContainer(); site.add(${RULES});
       site.add(rule\`/rules/\${integerArg}\`(() => nextDispatcher()));
       site.add(rule\`/rules/\${integerArg}\`(async () => { await null; return nextDispatcher(); }));
       export default async (request) => html\`[\${await site.dispatch(request)}]\`;`,
    ],
  ])('%s lets its suspension pass, any number of times', async (_what, rules) => {
    const servlet = await CompiledServlet.load(`${SERVLET}\n${rules}`);
    const first = await servlet.text('/rules/7');
    const second = await servlet.follow(first, '?x=a');
    const bare = (page: string): string => page.replace(/[[\]]/g, '');
    expect(bare(await servlet.follow(second, '?x=b'))).toBe('7 a b');
    expect(bare(await servlet.follow(await servlet.follow(first, '?x=c'), '?x=d'))).toBe('7 c d');
    expect(bare(await servlet.follow(second, '?x=e'))).toBe('7 a e');
  });
});
