/** Memory in V8's heap, of many small pieces and of few large ones; what the parser and the stack take. */
import { type Attack, family, memory, returns, type Row } from './attack.ts';

const PROBE = { isProbe: true };
const rangeError = (name: string, code: string, more: Partial<Row> = {}): Row =>
  returns(
    name,
    `try { ${code}; return 'it went through'; } catch (error) { return error.name; }`,
    /^RangeError$/,
    more,
  );

export const HEAP: readonly Attack[] = family(
  'H',
  [
    memory(
      "the tutorial's many, 50 000 000 times",
      `const hellos = []; for (let i = 0; i < 50_000_000; i++) hellos.push(' hello'); return ['html', ['body', ...hellos]];`,
    ),
    memory('Array.from({ length: 1e8 })', `return String(Array.from({ length: 1e8 }, (_, i) => ({ i })).length);`),
    memory('objects', `for (let i = 0; ; i++) hoard.push({ i, a: 1, b: 2, c: 3 });`),
    memory('a linked list', `let head = null; for (let i = 0; ; i++) head = { next: head, i };`),
    memory('closures', `for (let i = 0; ; i++) hoard.push(() => i);`),
    memory('flat strings of 1 MB', `for (;;) hoard.push(Buffer.alloc(1 << 20, 97).toString('latin1'));`),
    memory(
      'ropes that are kept',
      `for (let i = 0; ; i++) { let rope = 'a' + i; for (let n = 0; n < 12; n++) rope += rope + n; hoard.push(rope); }`,
    ),
    memory('a Set of objects', `const set = new Set(); for (let i = 0; ; i++) set.add({ i });`),
    memory('an object with ever more properties', `const object = {}; for (let i = 0; ; i++) object['key' + i] = i;`),
    memory('symbols of the registry', `for (let i = 0; ; i++) hoard.push(Symbol.for('symbol ' + i));`),
    memory('a packed array', `for (let i = 0; ; i++) hoard.push(i);`),
    memory('an array of doubles', `for (let i = 0; ; i++) hoard.push(i + 0.5);`),
    memory('holey arrays', `for (;;) { const holey = new Array(10_000); holey[9_999] = 1; hoard.push(holey); }`),
    memory(
      'weak references and finalizers',
      `
    const registry = new FinalizationRegistry(() => {});
    for (let i = 0; ; i++) { const object = { i }; registry.register(object, i); hoard.push(new WeakRef(object), object); }`,
    ),
    memory(
      'a WeakMap whose keys are kept',
      `const map = new WeakMap(); for (let i = 0; ; i++) { const key = { i }; map.set(key, { i }); hoard.push(key); }`,
    ),
    memory('errors with their stacks', `for (;;) hoard.push(new Error('x'));`),
    memory('BigInts of 1 MB', `for (let i = 0n; ; i++) hoard.push((1n << 8_000_000n) + i);`),
    memory('one BigInt that doubles', `let big = 3n; for (;;) { big = big * big; hoard.push(big); }`),
    memory(
      'generators',
      `function* numbers() { const all = new Array(20).fill(1); yield all; } for (;;) { const one = numbers(); one.next(); hoard.push(one); }`,
    ),
    memory('promises', `for (;;) hoard.push(new Promise(() => {}).then(() => {}));`),
    memory(
      'recursion after await',
      `async function more(n) { await null; return (await more(n + 1)) + n; } return String(await more(0));`,
    ),
    memory('microtasks', `for (let i = 0; ; i++) queueMicrotask(() => hoard.push(i));`),
    memory('ticks', `for (let i = 0; ; i++) process.nextTick(() => hoard.push(i));`),
    memory('closures in timers', `for (;;) setTimeout(() => {}, 1e6, new Array(100).fill(0));`),
    memory('immediates', `for (;;) setImmediate(() => {});`),
    memory(
      'intervals, from turn to turn',
      `setInterval(() => { for (let i = 0; i < 20_000; i++) hoard.push({ i }); }, 1); return new Promise(() => {});`,
    ),
    memory('proxies of proxies', `let proxy = {}; for (;;) { proxy = new Proxy(proxy, {}); hoard.push(proxy); }`),
    memory(
      'stores of asynchronous contexts',
      `for (let i = 0; ; i++) hoard.push(new AsyncLocalStorage().run({ i }, () => new AsyncResource('x')));`,
      {
        prelude: `import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';`,
      },
    ),
    memory('performance marks', `for (let i = 0; ; i++) performance.mark('mark ' + i);`),
    memory(
      'abort signals',
      `for (;;) { const controller = new AbortController(); controller.signal.addEventListener('abort', () => {}); hoard.push(controller); }`,
    ),
    memory(
      'URLs and their patterns',
      `for (let i = 0; ; i++) hoard.push(new URL('http://a/' + i), new URLPattern({ pathname: '/' + i }));`,
    ),
    memory(
      'a string that is a number of classes',
      `for (let i = 0; ; i++) hoard.push(class { #a = i; static b = i; method() { return this.#a; } });`,
    ),
    memory(
      'regular expressions',
      `for (let i = 0; ; i++) { const one = new RegExp('a' + i + '(b|c)*'); one.test('abc'); hoard.push(one); }`,
    ),
    memory('small evals', `for (let i = 0; ; i++) hoard.push(new Function('return ' + i + ' + ' + 'x'.repeat(100)));`),
    // Large pieces.
    memory('new Array(1e9).fill(0)', `return String(new Array(1e9).fill(0).length);`),
    memory(
      'an array of 240 MB, filled',
      `return String(new Array(30e6).fill(0).length + hoard.push(new Array(30e6).fill(1)));`,
    ),
    memory('spread doubling', `let a = [1, 2, 3, 4]; for (;;) a = [...a, ...a];`),
    memory(
      'a string of 500 MB',
      `hoard.push('x'.padEnd(500e6, 'abc') + 'y'); JSON.stringify(hoard); return String(hoard[0].charCodeAt(7) + hoard[0].indexOf('z'));`,
    ),
    memory('split of 100 MB', `return String('a'.repeat(100e6).split('').length);`),
    memory('join to 400 MB', `return String(new Array(4000).fill('x'.repeat(100_000)).join('').indexOf('y'));`),
    memory(
      'JSON.stringify that amplifies',
      `const one = 'x'.repeat(1e6); return String(JSON.stringify(new Array(400).fill(one)).length);`,
    ),
    memory('JSON.parse of 60 MB', `return String(JSON.parse('[' + '0,'.repeat(30e6) + '0]').length);`),
    memory('JSON.parse of 200 MB', `return String(JSON.parse('[' + '0,'.repeat(100e6) + '0]').length);`, {}),
    memory(
      'structuredClone of much',
      `const much = Array.from({ length: 2e5 }, (_, i) => ({ i })); for (;;) hoard.push(structuredClone(much));`,
    ),
    memory(
      'structuredClone that amplifies',
      `const shared = 'x'.repeat(1e6) + Date.now(); return String(structuredClone(Array.from({ length: 400 }, (_, i) => shared + i)).length + hoard.push(structuredClone(Array.from({ length: 400 }, (_, i) => shared + i))));`,
    ),
    memory('sort of 5 million', `return String(Array.from({ length: 20e6 }, (_, i) => -i).sort().length);`),
    memory(
      'flat that amplifies',
      `let nested = [1]; for (let i = 0; i < 40; i++) nested = [nested, nested, nested]; return String(nested.flat(Infinity).length);`,
    ),
    memory('a Buffer as 400 MB of hex', `return String(Buffer.alloc(200e6).toString('hex').length);`),
    memory('the keys of a typed array', `return String(Object.keys(new Uint8Array(30e6)).length);`),
    memory('the matches of a regular expression', `return String('a'.repeat(30e6).match(/a/g).length);`),
    memory('eval of 60 MB', `return String(new Function('return ' + '1+'.repeat(30e6) + '1')());`),
    memory('eval of an array literal of 30 MB', `return String((0, eval)('[' + '{a:1},'.repeat(5e6) + ']').length);`),
    memory('eval of a string literal of 300 MB', `return String((0, eval)('"' + 'é'.repeat(300e6) + '"').length);`, {}),
    memory('normalize of 100 MB', `return String('\\u1E9B\\u0323'.repeat(50e6).normalize('NFKD').length);`),
    memory('a reply of 300 MB', `return 'x'.repeat(300e6) + 'é';`),
    memory(
      'an error with a message of 300 MB',
      `throw new Error('é'.repeat(150e6) + Date.now(), { cause: new Error('ö'.repeat(150e6) + Date.now()) });`,
      {
        causes: ['heap', 'rss'],
        statuses: [500, 503],
        codes: ['LIMIT_HEAP', 'LIMIT_RSS', 'SERVLET_ERROR'],
      },
    ),
    // What fails by itself.
    rangeError('a rope that doubles', `let rope = 'a'; for (;;) rope += rope`),
    rangeError('recursion', `(function again() { again(); })()`),
    rangeError('parentheses, a million deep', `(0, eval)('('.repeat(1e6) + ')'.repeat(1e6))`),
    rangeError(
      'a chain of proxies',
      `let proxy = {}; for (let i = 0; i < 1e5; i++) proxy = new Proxy(proxy, {}); proxy.x`,
    ),
    rangeError('sort with a comparator that sorts', `const sort = () => [2, 1].sort(sort); sort()`),
    rangeError('valueOf that asks for itself', `const loop = { valueOf() { return +loop; } }; +loop`),
    // Many of one kind, which once took more than their share before they were stopped.
    memory('small strings', `for (let i = 0; ; i++) hoard.push('text number ' + i + String.fromCharCode(i & 127));`),
    memory('a Map that grows', `const map = new Map(); for (let i = 0; ; i++) map.set(i, i);`),
    memory('timers', `for (;;) setTimeout(() => {}, 1e6);`),
    memory('concat doubling', `let a = [1, 2, 3, 4]; for (;;) a = a.concat(a);`),
    rangeError(
      'arrays, very deep, as a text',
      `let deep = []; for (let i = 0; i < 3e5; i++) deep = [deep]; String(deep)`,
    ),
    rangeError('too many arguments', `Math.max.apply(null, new Array(1e6))`),
    rangeError('flatMap within flatMap', `[1].flatMap(function again() { return [1].flatMap(again); })`),
    {
      name: 'an expression that remembers every step',
      code: `try { return String(/((a)|b)*$/.exec('ab'.repeat(2e6))?.length); } catch (error) { return error.name; }`,
      // V8 gives it 64 MB to remember in, and then up.
      causes: ['heap', 'rss', 'cpu'],
      statuses: [200, 503, 504],
      page: /^RangeError$|LIMIT_HEAP|LIMIT_RSS|LIMIT_CPU/,
    },
    // What V8 refuses, or shares, before it takes much.
    returns('an array of a billion holes', `return String(new Array(1e9).length);`, /^1000000000$/, PROBE),
    returns(
      'an element far away',
      `const array = []; array[4294967290] = 1; return String(array.length);`,
      /^4294967291$/,
      PROBE,
    ),
    memory('replaceAll that expands', `for (;;) hoard.push('x'.repeat(1e4).replaceAll('x', 'y'.repeat(1e4)));`),
    memory(
      'JSON.stringify of much',
      `const much = Array.from({ length: 100_000 }, (_, i) => ({ i, text: 'x' + i })); for (;;) hoard.push(JSON.stringify(much));`,
    ),
    rangeError('array literals, 100 000 deep, by eval', `(0, eval)('['.repeat(1e5) + ']'.repeat(1e5))`, PROBE),
    rangeError(
      'templates, 100 000 deep, by eval',
      `const tick = String.fromCharCode(96); (0, eval)((tick + '$' + '{').repeat(1e5) + 1 + ('}' + tick).repeat(1e5))`,
      PROBE,
    ),
    memory(
      'variables of eval',
      `for (let i = 0; ; i++) (0, eval)(Array.from({ length: 20_000 }, (_, at) => 'var v' + i + '_' + at + ' = {}').join(';'));`,
    ),
    memory(
      'expressions of many alternatives',
      `for (let i = 0; ; i++) { const one = new RegExp(Array.from({ length: 5000 }, (_, at) => 'word' + i + '_' + at).join('|')); one.test('word'); hoard.push(one); }`,
    ),
    ...['groups', 'captures'].map((what) =>
      returns(
        `an expression of 100 000 ${what}`,
        `const open = ${what === 'groups'} ? '(?:' : '('; try { return String(new RegExp(open.repeat(1e5) + ')'.repeat(1e5)).test('x')); } catch (error) { return error.name; }`,
        /^(true|SyntaxError|RangeError)$/,
        PROBE,
      ),
    ),
    returns(
      'quantifiers within quantifiers',
      `try { return String(new RegExp('(?:'.repeat(8) + 'a' + '{1,9})'.repeat(8)).test('b')); } catch (error) { return error.name; }`,
      /^(false|SyntaxError|RangeError)$/,
      PROBE,
    ),
    {
      name: 'an expression with sets of all characters',
      code: `try { return String(new RegExp('[\\\\p{L}--[a]]'.repeat(1000), 'v').test('x')); } catch (error) { return error.name; }`,
      causes: ['heap', 'rss', 'cpu'],
      statuses: [200, 503, 504],
      page: /^(false|RangeError|SyntaxError)$|LIMIT_HEAP|LIMIT_RSS|LIMIT_CPU/,
    },
    returns(
      'a chain of bound functions',
      `let bound = () => 1; for (let i = 0; i < 1e5; i++) bound = bound.bind(null); try { return String(bound()); } catch (error) { return error.name; }`,
      /^(1|RangeError)$/,
      PROBE,
    ),
    returns(
      'flat of arrays, 100 000 deep',
      `let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; try { return String(deep.flat(Infinity).length); } catch (error) { return error.name; }`,
      /^(0|RangeError)$/,
      PROBE,
    ),
    returns(
      'equality of what is 100 000 deep',
      `let a = {}, b = {}; for (let i = 0; i < 1e5; i++) { a = { a }; b = { a: b }; } try { deepStrictEqual(a, b); return 'equal'; } catch (error) { return error.name; }`,
      /^(equal|RangeError)$/,
      { ...PROBE, prelude: `import { deepStrictEqual } from 'node:assert';` },
    ),
    rangeError('replace with a callback that replaces', `const again = () => 'x'.replace('x', again); again()`, PROBE),
    returns(
      'a stack that is described by what asks for a stack',
      `Error.prepareStackTrace = () => new Error('again').stack; return typeof new Error('x').stack;`,
      /^(string|undefined|object)$/,
      PROBE,
    ),
    memory('asynchronous resources', `for (;;) hoard.push(new AsyncResource('x'));`, {
      prelude: `import { AsyncResource } from 'node:async_hooks';`,
    }),
    // Watched less closely while it does nothing, and while its heap has pages to spare.
    memory(
      'objects, after a wait',
      `await new Promise((resolve) => setTimeout(resolve, 400)); for (let i = 0; ; i++) hoard.push({ i, a: 1, b: 2, c: 3 });`,
    ),
    memory(
      'objects in the pages of those before',
      `const fill = (mb) => { for (let i = 0; i < mb * 12_000; i++) hoard.push({ i, a: 1, b: 2, c: 3 }); };
       for (let turn = 0; turn < 4; turn++) { fill(20); await new Promise((resolve) => setTimeout(resolve, 150)); hoard.length = 0; await new Promise((resolve) => setTimeout(resolve, 300)); }
       fill(200); return String(hoard.length);`,
    ),
  ],
  { cpuMs: 6000, wallMs: 10_000 },
);
