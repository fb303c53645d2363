import type { Scope, Writer } from './random-program.ts';

/** How many kinds of statement `heapStatement` knows. */
export const heapStatements = 15;

/** A statement, and what can be used after it. */
function adding(declare: () => unknown, text: string): string {
  declare();
  return text;
}

/** What keeps state outside of plain locals. */
export function heapStatement(w: Writer, s: Scope, kind: number): string {
  const name = w.fresh('z'),
    value = (): string => w.expression({ ...s, isAsync: false }, 2),
    seen = (): string => w.pick(w.capturable(s), '1'),
    small = (text: string): string => `((${text}) % 97 | 0)`;
  switch (kind) {
    case 0:
      return adding(
        () => [s.changes.push(`${name}up()`), s.lets.push(name)],
        `let ${name} = ${value()}; const ${name}up = () => (${name} = ${small(`${name} * 3 + ${seen()}`)});`,
      );
    case 1:
      return adding(
        () => [
          s.changes.push(`${name}.add(${value()})`, `(${name}.sum = ${value()})`),
          s.waits.push(`(await ${name}.more(2))`),
          s.reads.push(`${name}.sum`, `${name}.list.length`),
        ],
        `const ${name} = { a: ${value()}, list: [${value()}], get sum() { return this.a + this.list.length; }, set sum(x) { this.a = x + ${seen()}; }, add(x) { if (this.list.length < 9) this.list.push(x); return (this.a = ${small('this.a + x')}); }, async more(x) { this.a = ${small(`this.a + ${w.ask({ ...s, reads: [...s.reads, 'this.a'] })}`)}; return this.a - x; } };`,
      );
    case 2: {
      const base = w.pick(s.classes, '');
      const members = base
        ? `up(y) { return super.up(y) + 1; } get v() { return super.v - ${seen()}; }`
        : `constructor(x) { this.x = x; } up(y) { return (this.x = ${small('this.x + y')}); } get v() { return this.x + ${seen()}; } async wait(y) { this.x = ${small(`this.x + ${w.ask(s)}`)}; return this.x - y; } later = (y) => this.up(y) + ${seen()};`;
      return adding(
        () => [
          s.classes.push(`K${name}`),
          s.changes.push(`${name}.up(2)`, `${name}.later(1)`),
          s.waits.push(`(await ${name}.wait(1))`),
          s.reads.push(`${name}.v`),
        ],
        `class K${name} ${base ? `extends ${base} ` : ''}{ ${members} } const ${name} = new K${name}(${value()});`,
      );
    }
    case 3:
      return `const ${name} = new Map([['p', ${value()}], ['q', ${value()}]]); for (const [${name}k, ${name}v] of ${name}) { if (${name}k === 'p') { ${name}.delete('p'); ${name}.set('r', ${value()}); } ${w.block(s, { inLoop: true, canBreak: true, reads: [...s.reads, `${name}v`, `${name}.size`] })} }`;
    case 4:
      return `for (const [${name}i, ${name}x] of [${value()}, ${value()}].entries()) ${w.block(s, { inLoop: true, canBreak: true, consts: [...s.consts, `${name}i`, `${name}x`] })}`;
    case 5:
      return adding(
        () => [s.changes.push(`${name}[1]()`, `${name}[0]()`)],
        `const ${name} = []; for (let i = 0; i < 3; i++) { let t = i + ${value()}; ${name}.push(() => (t = ${small('t * 2 + i++')})); }`,
      );
    case 6:
      return adding(
        () => [s.changes.push(`${name}p()`, `${name}q()`)],
        `const ${name} = (x, y = 2, { z } = { z: y }) => { let t = x; for (const w of [1, z]) { let u = w; t += u; if (w > 1) return [() => (t = ${small('t + ++u')}), () => t * y]; } return [() => t++, () => y]; }; const [${name}p, ${name}q] = ${name}(${value()});`,
      );
    case 7:
      return adding(
        () => [s.pure.push(`${name}e`)],
        `function ${name}e(n) { return !(n > 0) ? ${seen()} : ${name}d(Math.min(n, 5) - 1) + 1; } function ${name}d(n) { return !(n > 0) ? ${seen()} : ${name}e(n - 1); }`,
      );
    case 8:
      return adding(
        () => [s.reads.push(`${name}.n`, `${name}.message.length`, `${name}.cause.m`)],
        `const ${name} = Object.assign(new RangeError('m' + ${value()}, { cause: { m: ${value()} } }), { n: ${value()} });`,
      );
    case 9:
      return adding(
        () => [s.reads.push(`${name}.length`)],
        `const ${name} = [...(function* () { let y = (${value()}) % 5; const up = () => y++; while (y < 5) yield up(); })()];`,
      );
    case 10:
      return adding(
        () => [
          s.reads.push(
            `(${name}.s.size + ${name}.when.getTime() / 1000 + Number(${name}.big % 7n) + (${name}.self === ${name} ? 1 : 0) + ${name}.bytes[1])`,
          ),
        ],
        `const ${name} = { when: new Date(((${value()}) | 0) * 1000), big: 10n ** 20n, s: new Set([${value()}, ${value()}]), bytes: Uint8Array.of(1, ${value()}), self: null }; ${name}.self = ${name};`,
      );
    case 11: {
      // The same object under two names.
      const other = w
        .pick(
          s.changes.filter((text) => /^z\d+\.add/.test(text)),
          '',
        )
        .split('.')[0];
      if (!other) return `${w.expression(s)};`;
      return adding(() => [s.changes.push(`${name}.add(1)`)], `const ${name} = ${other};`);
    }
    case 12:
      return `{ await using ${name} = { n: ${value()}, async [Symbol.asyncDispose]() { ${w.pick(s.changes, '0')}; this.n = ${small(`this.n + ${w.ask(s)}`)}; } }; ${w.block(s, { reads: [...s.reads, `${name}.n`] })} }`;
    case 13:
      return `try { using ${name} = { n: ${value()}, [Symbol.dispose]() { ${w.pick(s.changes, '0')}; throw new Error('d' + (this.n % 7)); } }; ${w.block(s, { reads: [...s.reads, `${name}.n`] })} throw 1; } catch (${name}e) { await ask(${name}e.message ?? ${name}e.suppressed ?? ${name}e); }`;
    default:
      return adding(
        () => [s.waits.push(`(await ${name}.call({ z: 3 }, ${value()}))`)],
        `const ${name} = async function (p) { const q = ${w.ask(s)}; const inside = () => this.z + arguments[0]; return inside() + q - p; };`,
      );
  }
}
