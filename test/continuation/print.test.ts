import { decode } from '@jridgewell/sourcemap-codec';
import { parse as acornParse } from 'acorn';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node } from '../../packages/worker/src/continuation/compile/ast.ts';
import { compile } from '../../packages/worker/src/continuation/compile/compile.ts';
import { print } from '../../packages/worker/src/continuation/compile/print.ts';
import { SourceLines } from '../../packages/worker/src/continuation/compile/source-lines.ts';
import { difference, madeAnew } from './support/made-tree.ts';
import { SYNTAX } from './support/syntax.ts';
import { load, play, returned } from './support/compile-module.ts';

/** What the author wrote is copied into what the compiler prints, without the parentheses that stood around it. */
const MEANT = {
  'a chain that ends before a property is read':
    'const o = { a: { b: 7 } }; return (o?.a).b + (o?.["a"].b ?? 0) + (await ask());',
  'a chain that ends before a call': 'const o = { f() { return this === o; } }; return [(o?.f)(), await ask()];',
  'a tag that is the end of a chain': 'const o = { f: (x) => x.raw[0] }; return (o?.f)`a\\n${await ask()}`;',
  'a sequence in a comparison': 'return 1 < (await ask(), 2, 3);',
  'a sequence that is an argument': 'return Math.max((0, 5), await ask());',
  '`in` in the head of a for':
    'let n = 0; for (let i = ("a" in { a: await ask() }), f = () => ("b" in {}); i && n < 3; n++) { await ask(); if (f()) break; } return n;',
  '`in` in the head of a for that does not wait':
    'let n = 0; await ask(); for (var i = ("a" in { a: 1 }); i && n < 3; n++); return n;',
  'a loop variable that is called async':
    'let async, n = 0; for ((async) of [1, 2]) { n += async; await ask(); } return n;',
  'an arrow that returns a property of an object': 'const f = async () => ({ a: await ask() }.a); return f();',
  'an arrow that returns an assignment to a pattern':
    'let a = 0; const f = (x) => ({ a } = x); f({ a: await ask() }); return a;',
  'a statement that begins with an object': 'let n = 0; ({ add() { n += 1; } }.add(await ask())); return n;',
  'a statement that begins with a function': 'let n = 0; (function () { n += 1; }.call(await ask())); return n;',
  'a statement that begins with a class': 'let n = 0; (class { static add() { n += 1; } }.add(await ask())); return n;',
  'a statement that begins with `let`': 'const l = []; l[0] = await ask(); return l;',
  'statements without semicolons':
    'let n = 1\nawait ask()\n;[n] = [2]\nif (n) n++\nelse n--\ndo n++\nwhile (n < 9)\nreturn n',
  'statements without semicolons, one after another':
    'let n = 0\nfor (const x of [1, 2]) n += x\nwhile (n < 5) n++\nlabel: n++\nconst f = () => n\n;(() => n)()\nreturn [n, f(), await ask()]',
  'fields without semicolons':
    'class A {\n  a = 1\n  static b = 2;\n  ["c"] = 3\n  d\n  *e() { yield 4 }\n}\nreturn [new A().a, A.b, new A().c, [...new A().e()], await ask()]',
  signs:
    'const n = await ask(); return [- -n, +(+n), -(-n), n - -n, n- --[n][0], typeof (n), (-n) ** 2, !(n in [0, 1])];',
  'a new of what a call gives':
    'const make = () => Array; return [new (make())(3).length, new (make().from.constructor)("return 1")(), await ask()];',
  'a new of what a chain gives': 'const o = { A: class { x = 1; } }; return [new (o?.A)().x, await ask()];',
  'a new without arguments, which is called or read from':
    'class A { f(g) { return g(); } } const B = function () { return (g) => g(); }; return [await (new A).f(async () => await ask()), await (new B)(async () => await ask()), (new A)[(async () => { await ask(); }, "f")].length, await ask()];',
  'a new of what a new gives':
    'const A = function () { return function (g) { this.g = g; }; }; return [await new (new A)(async () => await ask()).g(), await ask()];',
  'a new of what a template gives':
    'const t = () => () => class { constructor(g) { this.g = g; } }; return [await new (t()`x`)(async () => await ask()).g(), await ask()];',
  'a new of what a call gives of which it takes a property':
    'const o = () => ({ A: class { constructor(g) { this.g = g; } } }); return [await new (o().A)(async () => await ask()).g(), await ask()];',
  'a property called __proto__':
    'let __proto__ = 1; const o = { __proto__, a: await ask() }; const up = () => __proto__++; await ask(); up(); const p = { __proto__ }; return [Object.keys(o), Object.keys(p), p.__proto__];',
  'a delete of what is no place':
    'const o = { p: 1 }; return [delete (await ask()), delete (await ask(), o.p), delete ((await ask()) ? o.p : 0), delete (await ask(), o).p, o];',
  'an await as a base': 'return (await ask()) ** 2 + (await ask()).toFixed(1);',
  'a yield and an arrow as operands':
    'const g = function* () { return 1 + (yield 2); }; const i = g(); i.next(); return [i.next(4).value, ((x) => x) || 0, await ask()].length;',
  'nullish beside or': 'const n = await ask(); return [(n || 0) ?? 1, n || (null ?? 1), (n ?? 2) && 3];',
  'holes and trailing commas':
    'const [, a, , b] = [1, await ask(), 3, 4]; return [a, b, [, 1, , ].length, [...[5, , 6]]];',
  'an import with attributes':
    'return await import("data:application/json,[1]", { with: { type: "json" } }).then((m) => m.default, (e) => typeof e);',
  'regular expressions, big numbers, templates in templates':
    'const n = await ask(); return [/[/\\]]+/gu.source, 10n ** 20n > 1n, `a${`b${n}`}\n`];',
  'comments that end lines':
    'const n = await ask(); // one\nconst f = () => /* two */ n // three\n; return f() /* four */',
};

/** Modules, without their first lines; `main` is compared. */
const MODULES = {
  'awaits at the top level':
    'const a = await Promise.resolve(1), list = [];\nfor await (const x of [Promise.resolve(2), 3]) list.push(async () => x + await ask())\nif (await true) list.push(async () => await ask())\nclass K extends (await class { static q = async () => await ask() }) { [await "k"] = async () => await ask() }\nawait using z = null\nexport async function main() { const sums = []; for (const f of list) sums.push(await f()); return [a, sums, await K.q(), await new K().k()] }',
  'exports of every kind':
    'export const { a, b: { c = async () => await ask() } = {}, ...rest } = { a: async () => await ask(), r: 1 }, [d = async () => await ask() + 1] = []\nexport let e; e = async () => await ask()\nconst z = async () => await ask()\nexport { z as "a name", z as zz }\nexport default new (class { async m() { return await ask() } })\nexport async function* g() { yield async () => await ask() }\nexport async function main() { const m = await import(import.meta.url), [f] = [(await m.g().next()).value]; return [await a(), await c(), rest, await d(), await m.e(), await m["a name"](), await m.default.m(), await f(), Object.keys(m).sort()] }',
  'functions in blocks of the top level':
    'const list = []\nouter: for (let i = 0; i < 3; i++) { for (;;) { if (i === 1) continue outer; list.push(async () => i + await ask()); break } }\nswitch (list.length) { case 2: { let q = 1; list.push(async () => { q++; await ask(); return q }) } break; default: list.push(0) }\ntry { null.x } catch ({ name, m = 1 }) { list.push(async () => [name, m, await ask()]) } finally { const w = 2; var last = async () => w + await ask() }\ndo list.push(async () => await ask()); while (list.length < 2)\nexport async function main() { const out = []; for (const f of list) out.push(await f()); return [out, await last()] }',
  'fields, accessors and blocks of a class without semicolons':
    'class A {\n  static x = 1\n  static async m() { return await ask() }\n  y = async () => await ask()\n  ;[`k${1}`] = 2\n  "quoted name" = async () => await ask()\n  #p = async () => await ask()\n  get\n  z() { return async () => this.x + await ask() }\n  async\n  w() { return 4 }\n  static\n  async v() { return await ask() }\n  p() { return this.#p() }\n  static { this.s = async () => this.x + await ask() }\n  of\n  x = 5\n}\nexport async function main() { const o = new A(); return [await A.m(), await o.y(), o.k1, await o["quoted name"](), await o.p(), await o.z(), o.w(), await A.v(), await A.s(), Object.keys(o)] }',
};

describe('print()', () => {
  for (const [what, body] of Object.entries(MEANT))
    test(`keeps the meaning of ${what}`, async () => {
      const answers = Array.from({ length: 12 }, () => 3);
      const native = new Function('ask', `return (async () => {${body}\n})()`) as (
        ask: () => Promise<number>,
      ) => unknown;
      const expected = await native(() => Promise.resolve(3));
      const { exports } = await load(`export async function f() {${body}\n}`);
      const { outcome } = await play(exports['f']!, answers);
      expect(returned(outcome)).toEqual(expected);
    });

  for (const [what, module] of Object.entries(MODULES))
    for (const isSaved of [false, true])
      test(`keeps the meaning of ${what}${isSaved ? ', where pages are saved' : ''}`, async () => {
        const native = `data:text/javascript,${encodeURIComponent(`const ask = async () => 3; // ${isSaved}\n${module}`)}`,
          { main } = (await import(/* @vite-ignore */ native)) as { main: () => Promise<unknown> };
        const { exports } = await load(module, { isSaved });
        const { outcome } = await play(
          exports['main']!,
          Array.from({ length: 20 }, () => 3),
        );
        expect(returned(outcome)).toEqual(await main());
      });

  test('takes a module with a line for the shell, a mark of byte order, and lines of every end', async () => {
    const source =
      '#!/usr/bin/env node\r\n"use strict"\r\nexport async function f(ask) {\r  const a = await ask(`x\r\ny`)\u2028  return a // b\r\n}\n';
    for (const text of [source, `\uFEFF${source.slice(source.indexOf('"'))}`]) {
      const { code } = compile(text, { file: 'a.js', runtime: 'rt' });
      expect(() => acornParse(code, { ecmaVersion: 'latest', sourceType: 'module' })).not.toThrow();
      expect(code).toMatch(/^"use strict";\nimport /);
    }
  });

  test('keeps every node what it was, whichever of them a pass has made anew', () => {
    const parse = (text: string): Node =>
      acornParse(text, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }) as unknown as Node;
    for (const source of SYNTAX)
      fc.assert(
        fc.property(
          fc.array(fc.nat(0xff), { minLength: 1, maxLength: 64 }),
          fc.constantFrom(4, 32, 255),
          (tape, below) => {
            let at = 0;
            const tree = madeAnew(parse(source), () => tape[at++ % tape.length]! < below);
            const { code } = print({ ...tree }, source, {
              lines: new SourceLines(source),
              original: source,
              file: 'a.js',
            });
            expect(difference(parse(source), parse(code))).toBe(null);
          },
        ),
        { numRuns: 12 },
      );
  });

  test.each([
    ['an arrow', 'export default async () => { return await ask() }\n[1].forEach((each) => count += each)'],
    ['a call', 'const same = (f) => f\nexport default same(async () => await ask())\n;(() => count++)()'],
    ['a class', 'export default (class { static now = async () => await ask() }).now\n;`${count++}`'],
    ['a name', 'const f = async () => await ask()\nexport default f\n"no directive"'],
  ])('ends the default export of %s', async (_, source) => {
    const { exports } = await load(`let count = 0\n${source}\nexport const counted = () => count`);
    expect(typeof exports['default']).toBe('function');
    expect(exports['counted']!()).toBe(source.includes('count') ? 1 : 0);
    expect(returned((await play(exports['default']!, [3])).outcome)).toBe(3);
  });

  test('a function or class expression that is exported stays one, and has its name', async () => {
    const source =
      'export default (function () { return ask(async () => { await ask(1); }); });\nexport const later = async () => { await ask(2); };';
    const { code } = compile(source, { file: 'a.js', runtime: 'rt' });
    expect(code).toMatch(/export default \(function \(\)/);
  });

  test('every word of the author has its place in the map, whatever ends its line', () => {
    const source = [
      'export async function f() {',
      '  const u1 = u2(u3, await u4()), u5 = `text ${u7}',
      '    ${await u8(u9.u10)}`;\r',
      '  for (const u11 of u12) { u13(); await u14(u11 ? u15 : new u16(u17)); }\u2028  const { u18, u19: u20 = u21() } = u22;',
      '  try { u23(); throw u24; } catch (u25) { await u26(u25); } finally { u27.u28.u29(() => u30); }',
      '  return { u31, u32: u33 };',
      '}',
      'const u34 = (u35) => {\r\n  u36(u35, function u37() { return u38; });\n};',
    ].join('\n');
    const { code, map } = compile(source, { file: 'a.js', runtime: 'rt' });
    const { mappings } = JSON.parse(Buffer.from(map!.toUrl().split(',')[1]!, 'base64').toString()) as {
      mappings: string;
    };
    const lines = (text: string): string[] => text.split(/\r\n?|[\n\u2028\u2029]/);
    const from = lines(source),
      found = new Set<string>();
    decode(mappings).forEach((segments, i) => {
      for (const [column, , line, fromColumn] of segments as [number, number, number, number][]) {
        const word = /^u\d+\b/.exec(lines(code)[i]!.slice(column))?.[0];
        if (word === undefined) continue;
        expect(from[line]!.slice(fromColumn)).toMatch(new RegExp(`^(?:const |\\{ )?${word}\\b`));
        found.add(word);
      }
    });
    const all = new Set(source.match(/u\d+/g));
    expect([...all].filter((word) => !found.has(word))).toEqual([]);
  });
});
