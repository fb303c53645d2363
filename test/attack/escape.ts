/** Ways out: of the thread's walls, to files, processes, the network, and the insides of Node and of the runtime. */
import { type Attack, denied, family, returns, type Row } from './attack.ts';
import { ESCAPE_NODE } from './escape-node.ts';

const FS = {
  prelude: `import fs from 'node:fs'; import fsp from 'node:fs/promises'; import os from 'node:os'; import { join } from 'node:path';`,
};
const REQUIRE = {
  prelude: `import fs from 'node:fs'; import os from 'node:os'; import { join } from 'node:path'; import { createRequire } from 'node:module';
const hooked = async (Module) => { Module.registerHooks({ resolve: (name, context, next) => name === 'custodian' ? { url: 'node:net', shortCircuit: true } : next(name, context) }); return Object.keys(await import('custodian')).join(); };`,
};
const DENIED = 'SERVLET_DENIED';
const PERMISSION = 'ERR_ACCESS_DENIED';
const ABSENT = 'TypeError|ReferenceError';
const EVERY_DESCRIPTOR = 'for (let fd = 3; fd < 64; fd++)';

/** Patches something that the runtime or Node uses, answers, and tells afterwards what it got hold of. */
const steals = (name: string, code: string, more: Partial<Row> = {}): Row => ({
  name,
  prelude: `
    const loot = new Set();
    function take(value, depth = 0) {
      if (value === null || (typeof value !== 'object' && typeof value !== 'function') || depth > 3) return;
      let name = '';
      try { name = String(Object.prototype.toString.call(value)) + (value.constructor?.name ?? ''); } catch {}
      if (/Socket|Pipe|TCP|WriteWrap|FileHandle|FrameWriter|Process|\\[object process\\]/.test(name) && value !== process) loot.add(name);
      try { for (const key of Reflect.ownKeys(value)) if (/handle|stream|socket|kHandle/i.test(String(key))) take(value[key], depth + 1); } catch {}
    }
    const afterwards = async () => { await new Promise((resolve) => setTimeout(resolve, 20)); return 'loot: ' + [...loot].join(); };
  `,
  code: `const tried = await attempt(async () => { ${code} }); console.log('x'); return tried;`,
  causes: ['crash', 'cpu', 'heap', 'wall', 'protocol'],
  statuses: [200, 500, 503, 504],
  again: { status: [200, 500, 503, 504], page: /^loot: $|<code>/ },
  isProbe: true,
  limits: { wallMs: 1500 },
  ...more,
});
const patched = (target: string, method: string, more: Partial<Row> = {}): Row =>
  steals(
    `${target}.${method} replaced`,
    `const { Writable, Readable, Duplex, Stream } = await import('node:stream'); const { EventEmitter } = await import('node:events');
     const real = ${target}.${method};
     ${target}.${method} = function (...given) { take(this); for (let i = 0; i < given.length; i++) take(given[i]); return Reflect.apply(real, this, given); };`,
    more,
  );

export const ESCAPE: readonly Attack[] = family('E', [
  // Files.
  denied('reading /etc/passwd', `return fs.readFileSync('/etc/passwd', 'utf8');`, PERMISSION, FS),
  denied('reading it by a promise', `return (await fsp.readFile('/etc/passwd')).length;`, PERMISSION, FS),
  denied(
    'reading it by a stream',
    `return await new Promise((resolve, reject) => fs.createReadStream('/etc/passwd').on('data', resolve).on('error', reject));`,
    PERMISSION,
    FS,
  ),
  denied('reading it by a path in bytes', `return fs.readFileSync(Buffer.from('/etc/passwd')).length;`, PERMISSION, FS),
  denied(
    'reading it by a path that goes up',
    `return fs.readFileSync(join(os.tmpdir(), '../../../../../../../../etc/passwd')).length;`,
    PERMISSION,
    FS,
  ),
  denied(
    'reading it by a path in bytes, with the methods of bytes replaced',
    `
    const path = new Uint8Array(Buffer.from(os.tmpdir() + '/x/../../../../../../../../../etc/passwd'));
    Buffer.prototype.utf8Write = function () { return 0; }; Buffer.prototype.latin1Slice = () => os.tmpdir(); Buffer.prototype.utf8Slice = () => os.tmpdir();
    return fs.readFileSync(path).length;`,
    PERMISSION,
    FS,
  ),
  denied('reading the memory of its process', `return fs.openSync('/proc/self/mem', 'r+');`, PERMISSION, FS),
  denied(
    'reading the environment of its process',
    `return fs.readFileSync('/proc/self/environ', 'utf8');`,
    PERMISSION,
    FS,
  ),
  denied(
    "reading the environment of its host's process",
    `return fs.readFileSync('/proc/1/environ', 'utf8');`,
    PERMISSION,
    FS,
  ),
  denied('reading the current directory', `return fs.readdirSync('..').join();`, PERMISSION, FS),
  denied(
    "reading another servlet's directory",
    `return fs.readdirSync(new URL('../H1/', import.meta.url)).join() + fs.readFileSync(new URL('../clock.mjs', import.meta.url));`,
    PERMISSION,
    FS,
  ),
  denied(
    "reading another servlet's module",
    `return String(await import(new URL('../clock.mjs', import.meta.url)));`,
    PERMISSION,
    FS,
  ),
  denied('writing its own directory', `fs.writeFileSync(new URL('x.mjs', import.meta.url), 'x');`, PERMISSION, FS),
  denied(
    'writing beside its temporary directory',
    `fs.writeFileSync(join(os.tmpdir(), '../../../x'), 'x');`,
    PERMISSION,
    FS,
  ),
  denied('writing /tmp', `fs.writeFileSync('/tmp/custodian-escaped', 'x');`, PERMISSION, FS),
  denied(
    'renaming out of its temporary directory',
    `fs.writeFileSync(join(os.tmpdir(), 'x'), 'x'); fs.renameSync(join(os.tmpdir(), 'x'), '/tmp/custodian-escaped');`,
    PERMISSION,
    FS,
  ),
  denied(
    'copying into its temporary directory',
    `fs.copyFileSync('/etc/passwd', join(os.tmpdir(), 'x'));`,
    PERMISSION,
    FS,
  ),
  denied(
    'a symbolic link',
    `fs.symlinkSync('/etc/passwd', join(os.tmpdir(), 'x')); return fs.readFileSync(join(os.tmpdir(), 'x'), 'utf8');`,
    `TypeError|${PERMISSION}`,
    FS,
  ),
  denied('a hard link', `fs.linkSync('/etc/passwd', join(os.tmpdir(), 'x'));`, `TypeError|${PERMISSION}`, FS),
  denied('watching a directory', `return String(fs.watch('/root'));`, ABSENT, FS),
  denied(
    'changing the compile cache',
    `fs.writeFileSync(join(os.tmpdir(), '../../../../../compile-cache/x'), 'x');`,
    PERMISSION,
    FS,
  ),
  returns(
    'its temporary directory, for comparison',
    `
    const file = join(os.tmpdir(), 'x'); fs.writeFileSync(file, 'written'); await fsp.appendFile(file, ' twice'); return fsp.readFile(file, 'utf8');`,
    /^written twice$/,
    { ...FS, isProbe: true },
  ),
  denied(
    'more than fits into its temporary directory',
    `const bytes = Buffer.alloc(1 << 20); for (let i = 0; ; i++) fs.writeFileSync(join(os.tmpdir(), String(i)), bytes);`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, in one stream',
    `await new Promise((resolve, reject) => { const file = fs.createWriteStream(join(os.tmpdir(), 'x')).on('error', reject); const bytes = Buffer.alloc(1 << 20); (function more(error) { if (!error) file.write(bytes, more); })(); });`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, in bytes that hide their length',
    `
    class Small extends Uint8Array { get byteLength() { return 0; } get length() { return 0; } }
    const bytes = new Small(1 << 20); for (let i = 0; ; i++) fs.writeFileSync(join(os.tmpdir(), String(i)), bytes);`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'many empty files',
    `for (let i = 0; ; i++) fs.writeFileSync(join(os.tmpdir(), String(i)), '');`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'a file that grows by its length alone',
    `const fd = fs.openSync(join(os.tmpdir(), 'x'), 'w'); for (let i = 1; ; i++) fs.ftruncateSync(fd, i * (1 << 24));`,
    'LIMIT_TEMP',
    FS,
  ),
  // Descriptors, which belong to the whole process.
  denied('reading a descriptor', `${EVERY_DESCRIPTOR} return fs.readSync(fd, Buffer.alloc(20));`, DENIED, FS),
  denied('writing a descriptor', `${EVERY_DESCRIPTOR} return fs.writeSync(fd, 'x');`, DENIED, FS),
  denied('closing a descriptor', `${EVERY_DESCRIPTOR} fs.closeSync(fd);`, DENIED, FS),
  denied('reading a descriptor as a file', `return fs.readFileSync(3, 'utf8');`, DENIED, FS),
  denied('appending to a descriptor', `fs.appendFileSync(4, 'x');`, DENIED, FS),
  denied(
    'a descriptor that it has closed',
    `const fd = fs.openSync(join(os.tmpdir(), 'x'), 'w'); fs.closeSync(fd); fs.writeSync(fd, 'x');`,
    DENIED,
    FS,
  ),
  denied(
    'a descriptor, with the look-up of its own ones replaced',
    `
    Set.prototype.has = Map.prototype.has = Array.prototype.includes = Object.hasOwn = Object.prototype.hasOwnProperty = () => true;
    return fs.writeSync(4, 'x');`,
    DENIED,
    FS,
  ),
  denied(
    'a descriptor, with iteration replaced',
    `
    Array.prototype[Symbol.iterator] = function* () { yield 4; yield 'x'; };
    const fd = fs.openSync(join(os.tmpdir(), 'x'), 'w'); const written = fs.writeSync(fd, 'mine'); if (written !== 4) return 'it wrote elsewhere'; fs.writeSync(4, 'x');`,
    DENIED,
    FS,
  ),
  denied(
    'a stream on a descriptor',
    `return await new Promise((resolve, reject) => { fs.createWriteStream('', { fd: 4 }).on('error', reject).end('x', (error) => error ?? resolve('written')); });`,
    `${DENIED}|ENOENT|${PERMISSION}`,
    FS,
  ),
  denied('a file handle', `return String(await fsp.open(join(os.tmpdir(), 'x'), 'w'));`, ABSENT, FS),
  // Processes and signals.
  denied('a child process', `(await import('node:child_process')).spawn('sleep', ['300.0625']);`, DENIED),
  denied(
    'a worker thread of its own',
    `new (await import('node:worker_threads')).Worker('for (;;);', { eval: true });`,
    DENIED,
  ),
  denied('a cluster', `(await import('node:cluster')).default.fork();`, DENIED),
  denied('a signal to itself', `process.kill(process.pid, 'SIGKILL');`, DENIED),
  denied('a signal to init', `process.kill(1, 0);`, DENIED),
  denied('a signal by process._kill', `process._kill(process.pid, 9);`, DENIED),
  denied('a signal that starts a debugger', `process._debugProcess(process.pid);`, `${DENIED}|TypeError`),
  denied('process.execve', `process.execve('/bin/true', []);`, DENIED),
  denied('process.abort', `process.abort();`, 'ERR_WORKER_UNSUPPORTED_OPERATION'),
  denied('process.chdir', `process.chdir('/');`, DENIED),
  denied('process.setuid', `process.setuid(0);`, DENIED),
  denied('priorities of other processes', `(await import('node:os')).setPriority(1, 19);`, ABSENT),
  denied(
    'native code by process.dlopen',
    `process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6');`,
    DENIED,
  ),
  denied(
    'native code by an addon',
    `return createRequire(import.meta.url)('./x.node');`,
    'MODULE_NOT_FOUND|SERVLET_DENIED',
    { prelude: `import { createRequire } from 'node:module';` },
  ),
  denied(
    'native code by node:ffi',
    `return Object.keys(await import('node:ffi')).join();`,
    `${DENIED}|ERR_UNKNOWN_BUILTIN_MODULE`,
  ),
  denied('WASI', `return String((await import('node:wasi')).WASI);`, DENIED),
  // The network.
  ...['net', 'tls', 'dgram', 'dns', 'dns/promises', 'http', 'https', 'http2', '_http_client', '_tls_wrap'].map((name) =>
    denied(
      `node:${name}`,
      `return Object.keys(await import('node:${name}')).join();`,
      `${DENIED}|ERR_UNKNOWN_BUILTIN_MODULE`,
    ),
  ),
  denied('fetch', `return (await fetch('http://127.0.0.1:9/')).status;`, 'SERVLET_NO_NETWORK'),
  denied('WebSocket', `return String(new WebSocket('ws://127.0.0.1:9/'));`, ABSENT),
  denied('EventSource', `return String(new EventSource('http://127.0.0.1:9/'));`, ABSENT),
  denied(
    'the connections behind fetch',
    `new Response('x'); return globalThis[Symbol.for('undici.globalDispatcher.1')].dispatch({ origin: 'http://127.0.0.1:9', path: '/', method: 'GET' }, {});`,
    'SERVLET_NO_NETWORK',
  ),
  denied(
    'the connections behind fetch, replaced',
    `globalThis[Symbol.for('undici.globalDispatcher.1')] = 1; throw new TypeError('it was replaced: ' + typeof globalThis[Symbol.for('undici.globalDispatcher.1')]);`,
    'TypeError: (Cannot|it was replaced: object)',
  ),
  // Other built-ins.
  denied(
    'SQLite on a file',
    `const { DatabaseSync } = await import('node:sqlite'); new DatabaseSync('/tmp/custodian-escaped.db');`,
    DENIED,
  ),
  denied(
    'the debugger of the main thread',
    `const { Session } = await import('node:inspector'); new Session().connectToMainThread();`,
    DENIED,
  ),
  denied('a debugger of its own', `(await import('node:inspector')).open(0);`, DENIED),
  denied('V8 flags', `(await import('node:v8')).setFlagsFromString('--allow-natives-syntax');`, ABSENT),
  denied(
    'a heap snapshot on disk',
    `(await import('node:v8')).writeHeapSnapshot('/tmp/custodian-escaped.heapsnapshot');`,
    ABSENT,
  ),
  denied(
    'new contexts',
    `return (await import('node:vm')).runInNewContext('this.constructor.constructor("return process")()');`,
    DENIED,
  ),
  denied('the test runner', `return Object.keys(await import('node:test')).join();`, DENIED),
  denied('the REPL', `(await import('node:repl')).start();`, DENIED),
  denied('trace events', `return Object.keys(await import('node:trace_events')).join();`, DENIED),
  denied('single executable applications', `return Object.keys(await import('node:sea')).join();`, DENIED),
  denied('terminals by descriptor', `return String(new (await import('node:tty')).ReadStream(0));`, ABSENT),
  denied('domains', `return Object.keys(await import('node:domain')).join();`, DENIED),
  denied('the report of the process', `return process.report.getReport().environmentVariables;`, ABSENT),
  denied('process.binding', `return Object.keys(process.binding('fs')).length;`, DENIED),
  denied('process._linkedBinding', `return process._linkedBinding('x');`, DENIED),
  denied(
    'process.getBuiltinModule',
    `return Object.keys(process.getBuiltinModule('node:child_process')).join();`,
    DENIED,
  ),
  denied('an environment from a file', `process.loadEnvFile('/etc/environment');`, DENIED),
  denied('the handles of its process', `return process._getActiveHandles().length;`, DENIED),
  denied('data for other threads', `(await import('node:worker_threads')).setEnvironmentData('x', 'x');`, DENIED),
  denied('locks that all threads share', `return await navigator.locks.request('x', () => 'held');`, ABSENT),
  denied('storage that all threads share', `localStorage.setItem('x', 'x');`, ABSENT),
  returns(
    'the environment',
    `return 'secrets: ' + Object.keys(process.env).filter((name) => !/^(TZ|TMPDIR)$/.test(name)).join();`,
    /^secrets: $/,
    { isProbe: true },
  ),
  returns(
    'its arguments',
    `return JSON.stringify([process.argv, process.execArgv, process.mainModule, process.ppid].map(String));`,
    /^\["","","undefined","undefined"\]$/,
    { isProbe: true },
  ),
  returns(
    'globals that nobody listed',
    `
    const known = new Set(['clearImmediate', 'setImmediate']);
    return 'globals: ' + ['BroadcastChannel', 'WebSocket', 'EventSource', 'Navigator', 'Storage', 'localStorage', 'sessionStorage', 'require', 'module', 'internalBinding'].filter((name) => name in globalThis).join();`,
    /^globals: $/,
    { isProbe: true },
  ),
  // Loading of modules.
  denied(
    'a forbidden built-in, statically, by another module',
    `return await import('data:text/javascript,import net from "node:net"; export default net');`,
    DENIED,
  ),
  denied('a forbidden built-in by eval', `return await (0, eval)('import("node:net")');`, DENIED),
  denied(
    'a forbidden built-in by eval with the name of another module',
    `return await eval('import("node:net")\\n//# sourceURL=' + import.meta.resolve('@custodian/worker'));`,
    DENIED,
  ),
  denied('a forbidden built-in by Function', `return await new Function('return import("node:net")')();`, DENIED),
  denied(
    'a forbidden built-in, with the methods of strings replaced',
    `
    String.prototype.startsWith = () => false; String.prototype.slice = () => 'path'; String.prototype.split = () => ['path'];
    Map.prototype.get = Set.prototype.has = RegExp.prototype.test = () => true;
    return Object.keys(await import('node:net')).join();`,
    DENIED,
  ),
  denied('a forbidden built-in by import.meta.resolve', `return import.meta.resolve('node:child_process');`, DENIED),
  denied('hooks for modules', `(await import('node:module')).registerHooks({});`, ABSENT),
  denied(
    'the loader of Node by createRequire',
    `return String(createRequire(import.meta.url)('node:child_process').spawn);`,
    DENIED,
    { prelude: `import { createRequire } from 'node:module';` },
  ),
  denied(
    'the class of modules by a CommonJS module',
    `const { builtin } = createRequire(import.meta.url)('data:x'); return builtin;`,
    'MODULE_NOT_FOUND|ERR_INVALID_ARG_VALUE|ERR_INVALID_URL_SCHEME|Error',
    { prelude: `import { createRequire } from 'node:module';` },
  ),
  denied(
    'the first line of a file, in an error of syntax',
    `return String(createRequire(import.meta.url)('/etc/passwd'));`,
    PERMISSION,
    { prelude: `import { createRequire } from 'node:module';` },
  ),
  denied(
    'a JSON file by import',
    `return JSON.stringify(await import('/proc/self/environ.json', { with: { type: 'json' } }));`,
    `${PERMISSION}|ERR_MODULE_NOT_FOUND`,
  ),
  denied(
    'a module of the web',
    `return String(await import('http://127.0.0.1:9/x.mjs'));`,
    'ERR_UNSUPPORTED_ESM_URL_SCHEME|ERR_NETWORK_IMPORT_DISALLOWED',
  ),
  denied(
    "the runtime's own modules",
    `return Object.keys(await import(import.meta.resolve('@custodian/worker').replace(/index(\\.\\w+)$/, 'thread$1'))).join();`,
    DENIED,
  ),
  denied(
    "the runtime's own modules by a query",
    `return Object.keys(await import(import.meta.resolve('@custodian/worker') + '?x')).join();`,
    DENIED,
  ),
  denied(
    "the runtime's own modules by escapes",
    `return Object.keys(await import(import.meta.resolve('@custodian/worker').replace('index', '%74hread'))).join();`,
    DENIED,
  ),
  denied(
    "the runtime's own modules by require",
    `return Object.keys(createRequire(import.meta.url)(new URL(import.meta.resolve('@custodian/worker').replace('index', 'thread')).pathname)).join();`,
    DENIED,
    { prelude: `import { createRequire } from 'node:module';` },
  ),
  denied('the protocol', `return Object.keys(await import('@custodian/protocol')).join();`, DENIED),
  denied(
    'the parts of built-ins by their address',
    `return Object.keys(await import('custodian-guest:child_process')).join();`,
    `${DENIED}|ERR_UNSUPPORTED_ESM_URL_SCHEME`,
  ),
  // Hidden ports and handles.
  returns(
    'ports behind standard output',
    `
    const found = [];
    for (const stream of [process.stdout, process.stderr, process.stdin, console._stdout, console._stderr])
      for (const key of Reflect.ownKeys(stream ?? {})) if (/port/i.test(String(key)) || typeof stream[key]?.postMessage === 'function') found.push(String(key));
    return 'found: ' + found.join();`,
    /^found: $/,
    { isProbe: true },
  ),
  denied(
    'the resource that runs',
    `return String((await import('node:async_hooks')).executionAsyncResource());`,
    ABSENT,
  ),
  denied('hooks for resources', `(await import('node:async_hooks')).createHook({}).enable();`, ABSENT),
  denied(
    "Node's own diagnostics",
    `const seen = []; (await import('node:diagnostics_channel')).subscribe('net.client.socket', (x) => seen.push(x)); if (seen.length === 0) throw new TypeError('nothing is published there');`,
    'TypeError',
  ),
  returns(
    'the callers of its functions',
    `
    const found = [];
    Error.prepareStackTrace = (_, sites) => { for (const site of sites) for (const value of [site.getThis?.(), site.getFunction?.()]) if (value !== undefined && value !== globalThis && value !== null && !/attack|attempt|default/.test(value.name)) found.push(String(value).slice(0, 40)); return ''; };
    new Error('x').stack;
    return 'found: ' + found.join();`,
    /^found: $/,
    { isProbe: true },
  ),
  // Pollution: patching what the runtime and Node work with, to get hold of what passes by.
  denied(
    'a setter on Object.prototype',
    `Object.defineProperty(Object.prototype, 'handle', { set(value) { hoard.push(value); }, configurable: true });`,
    'TypeError',
  ),
  denied(
    'a getter `then` on Object.prototype',
    `Object.defineProperty(Object.prototype, 'then', { get() { hoard.push(this); }, configurable: true });`,
    'TypeError',
  ),
  denied(
    'an element on Array.prototype',
    `Object.defineProperty(Array.prototype, '5', { set(value) { hoard.push(value); }, configurable: true });`,
    'TypeError',
  ),
  denied(
    'a getter `then` on EventEmitter.prototype',
    `const { EventEmitter } = await import('node:events'); Object.defineProperty(EventEmitter.prototype, 'then', { get() { hoard.push(this); } });`,
    'TypeError',
  ),
  patched('Writable.prototype', 'write'),
  patched('Writable.prototype', '_write'),
  patched('Readable.prototype', 'push'),
  patched('Readable.prototype', 'read'),
  patched('Stream.prototype', 'on'),
  patched('EventEmitter.prototype', 'emit'),
  patched('EventEmitter.prototype', 'on'),
  patched('Array.prototype', 'push'),
  patched('Array.prototype', 'shift'),
  patched('Promise.prototype', 'then'),
  patched('Map.prototype', 'get'),
  patched('Map.prototype', 'set'),
  patched('WeakMap.prototype', 'get'),
  patched('Function.prototype', 'call'),
  patched('Function.prototype', 'apply'),
  patched('Function.prototype', 'bind'),
  patched('Reflect', 'apply'),
  patched('Object', 'defineProperty'),
  patched('JSON', 'stringify'),
  patched('Buffer', 'from'),
  patched('Buffer.prototype', 'writeUInt32BE'),
  patched('Uint8Array.prototype', 'set'),
  patched('Uint8Array.prototype', 'subarray'),
  patched('globalThis', 'setImmediate'),
  patched('globalThis', 'queueMicrotask'),
  patched('process', 'nextTick'),
  patched('MessagePort.prototype', 'postMessage'),
  patched('EventTarget.prototype', 'dispatchEvent'),
  steals(
    'the state of streams, by their class',
    `
    const { Writable } = await import('node:stream'); const { prototype } = new Writable()._writableState.constructor;
    for (const key of Reflect.ownKeys(prototype)) { const property = Object.getOwnPropertyDescriptor(prototype, key);
      if (property.get) Object.defineProperty(prototype, key, { get() { take(this); take(this.onwrite); return Reflect.apply(property.get, this, []); }, set: property.set, configurable: true }); }`,
  ),
  steals(
    'iteration of arrays replaced',
    `const real = Array.prototype[Symbol.iterator]; Array.prototype[Symbol.iterator] = function () { take(this); for (let i = 0; i < this.length; i++) take(this[i]); return Reflect.apply(real, this, []); };`,
  ),
  steals(
    'the constructor of promises replaced',
    `Object.defineProperty(Promise.prototype, 'constructor', { get() { take(this); return Promise; } });`,
  ),
  steals(
    '__proto__ and constructor on Object.prototype replaced',
    `
    for (const key of ['__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'])
      Object.defineProperty(Object.prototype, key, { get() { take(this); return undefined; }, set(value) { take(this); take(value); }, configurable: true });`,
  ),
  steals(
    'warnings of the process',
    `process.on('warning', function () { take(this); }); process.emitWarning('x'); process.on('exit', function () { take(this); });`,
  ),
  steals(
    'every class that it can reach frozen',
    `
    const { Writable, Readable } = await import('node:stream');
    for (const one of [Object, Array, Map, Set, Promise, Function, Uint8Array, String, Number, Writable, Readable, Buffer]) { Object.freeze(one); Object.freeze(one.prototype); }`,
  ),
  steals(
    'every method of every class of the language emptied',
    `
    for (const one of [Array, Map, Set, Promise, String, RegExp, Uint8Array, Date])
      for (const key of Reflect.ownKeys(one.prototype)) if (key !== 'constructor' && typeof Object.getOwnPropertyDescriptor(one.prototype, key).value === 'function') try { one.prototype[key] = () => {}; } catch {}`,
  ),
  // Classes and functions that Node keeps behind what a guest does get.
  denied(
    'a descriptor of its process, by the class of streams on files',
    `const file = join(os.tmpdir(), 'x'); fs.writeFileSync(file, 'x'); const { constructor } = fs.createReadStream(file);
     return await new Promise((resolve, reject) => new constructor('', { fd: 3, autoClose: false }).on('data', resolve).on('error', (error) => resolve(error.code)));`,
    DENIED,
    FS,
  ),
  denied(
    'a control line, by the class of streams on files',
    `const { constructor } = fs.createWriteStream(join(os.tmpdir(), 'x'));
     return await new Promise((resolve, reject) => new constructor('', { fd: 3, autoClose: false }).on('error', reject).write('\\n', () => resolve('written')));`,
    DENIED,
    FS,
  ),
  denied(
    "a descriptor, by the prototype of its own stream's class",
    `const file = join(os.tmpdir(), 'x'); fs.writeFileSync(file, 'x'); const { Readable } = await import('node:stream');
     function Stream() {} Stream.prototype = Object.getPrototypeOf(fs.createReadStream(file));
     const mine = fs.createReadStream(file); await new Promise((resolve) => mine.on('open', resolve));
     const stream = Reflect.construct(Readable, [{ autoDestroy: false, highWaterMark: 100 }], Stream);
     for (const key of Reflect.ownKeys(mine)) if (typeof key === 'symbol' && typeof mine[key]?.read === 'function') stream[key] = mine[key];
     Object.assign(stream, { fd: 3, end: Infinity, bytesRead: 0 });
     return await new Promise((resolve, reject) => stream.on('data', resolve).on('error', reject));`,
    DENIED,
    FS,
  ),
  denied(
    'more than fits, by the class of streams on files',
    `const { constructor } = fs.createWriteStream(join(os.tmpdir(), 'x')); const file = new constructor(join(os.tmpdir(), 'y')); const bytes = Buffer.alloc(1 << 20);
     for (let i = 0; i < 200; i++) await new Promise((resolve, reject) => file.on('error', reject).write(bytes, resolve));`,
    DENIED,
    FS,
  ),
  denied(
    'the class of modules, with regular expressions replaced',
    `RegExp.prototype.test = () => true; const file = join(os.tmpdir(), 'x.js'); fs.writeFileSync(file, 'module.exports = module.constructor;');
     return hooked(createRequire(import.meta.url)(file));`,
    'TypeError',
    REQUIRE,
  ),
  denied(
    'the class of modules, by a file that changes when its error is judged',
    `const file = join(os.tmpdir(), 'x.js'); fs.writeFileSync(file, 'syntax error(');
     globalThis.SyntaxError = class { static [Symbol.hasInstance]() { fs.writeFileSync(file, 'module.exports = module.constructor;'); return true; } };
     return hooked(createRequire(import.meta.url)(file));`,
    'SyntaxError|TypeError',
    REQUIRE,
  ),
  denied(
    'the class of modules, by a file that is an ES module only at first sight',
    `const file = join(os.tmpdir(), 'x.js');
     fs.writeFileSync(file, 'import "./y.cjs"; export default 1;'); fs.writeFileSync(join(os.tmpdir(), 'y.cjs'), 'globalThis.seen = module.constructor;');
     createRequire(import.meta.url)(file); return hooked(globalThis.seen);`,
    'TypeError',
    REQUIRE,
  ),
  denied(
    'an import of its own within a part of a built-in, with JSON.stringify replaced',
    `const real = JSON.stringify; const inside = real(import.meta.resolve('@custodian/worker').replace('index', 'asks'));
     JSON.stringify = (value) => real('data:text/javascript,export const part = () => ({}); export const commonjs = 1') + '; import * as stolen from ' + inside + '; globalThis.stolen = stolen; //';
     for (const name of ['node:tty', 'node:diagnostics_channel', 'custodian-guest:commonjs']) await import(name).catch(() => {});
     JSON.stringify = real; return Object.keys(globalThis.stolen).join();`,
    'TypeError',
  ),
  denied(
    'an import of its own within a part of a built-in, by the name of a member',
    `const inside = JSON.stringify(import.meta.resolve('@custodian/worker').replace('index', 'asks')); const real = Object.keys;
     const member = 'm }; import * as stolen from ' + inside + '; globalThis.stolen = stolen; export { m0 as x';
     RegExp.prototype.test = () => true; process.getBuiltinModule('node:tty')[member] = 1; Object.keys = () => [member];
     for (const name of ['node:tty', 'node:diagnostics_channel']) await import(name).catch(() => {});
     Object.keys = real; return Object.keys(globalThis.stolen).join();`,
    'TypeError',
  ),
  ...['href', 'pathname', 'protocol'].map((accessor) =>
    denied(
      `the runtime's own modules, with the accessor ${accessor} of addresses replaced`,
      `const inside = new URL(import.meta.resolve('@custodian/worker').replace('index', 'guest/module-policy')); const own = new URL(import.meta.url); own.search = '';
       const { get } = Object.getOwnPropertyDescriptor(URL.prototype, '${accessor}'); let flip = false;
       Object.defineProperty(URL.prototype, '${accessor}', { get() { flip = !flip; const value = Reflect.apply(get, this, []); return value === Reflect.apply(get, flip ? inside : own, []) ? Reflect.apply(get, flip ? own : inside, []) : value; } });
       const found = createRequire(import.meta.url)(inside.pathname); if (typeof found.installModulePolicy !== 'function') throw new TypeError('it is another module'); return 'the policy';`,
      `TypeError|${DENIED}|MODULE_NOT_FOUND`,
      REQUIRE,
    ),
  ),
  denied(
    "the runtime's own modules, by the function that hands out CommonJS",
    `const { commonjs } = await import('custodian-guest:commonjs'); const { pathname } = new URL(import.meta.resolve('@custodian/worker').replace('index', 'asks'));
     return Object.keys(commonjs(pathname) ?? commonjs(pathname.replace(/packages\\/worker/, 'node_modules/@custodian/worker'))).join();`,
    `TypeError|${DENIED}`,
  ),
  denied(
    'a file, written by the collector of garbage',
    `gc({ type: 'major-snapshot', filename: '/tmp/custodian-escaped.heapsnapshot' }); return 'written';`,
    ABSENT,
  ),
  denied(
    'a forbidden built-in, by a module of WebAssembly',
    `const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 20, 1, 8, ...Buffer.from('node:net'), 7, ...Buffer.from('connect'), 0, 0];
     return Object.keys(await import('data:application/wasm;base64,' + Buffer.from(bytes).toString('base64'))).join();`,
    `${DENIED}|ERR_UNKNOWN_MODULE_FORMAT`,
  ),
  denied(
    'a forbidden built-in with attributes',
    `return Object.keys(await import('node:net', { with: { type: 'json' } })).join();`,
    `${DENIED}|ERR_IMPORT_ATTRIBUTE_TYPE_INCOMPATIBLE`,
  ),
  denied(
    'native code by an engine of OpenSSL',
    `(await import('node:crypto')).setEngine('/tmp/custodian-engine.so'); return 'loaded';`,
    'ERR_WORKER_UNSUPPORTED_OPERATION|ERR_CRYPTO_CUSTOM_ENGINE_NOT_SUPPORTED|ERR_CRYPTO_ENGINE_UNKNOWN|ERR_ACCESS_DENIED|TypeError',
  ),
  denied(
    "the mode of OpenSSL, which is the whole process's",
    `(await import('node:crypto')).setFips(true); return 'set';`,
    'ERR_WORKER_UNSUPPORTED_OPERATION',
  ),
  denied(
    'the handler of Ctrl-C',
    `(await import('node:util')).setTraceSigInt(true); return 'set';`,
    'ERR_WORKER_UNSUPPORTED_OPERATION|TypeError',
  ),
  denied(
    'files in a tree that is deeper than a path can be long',
    `const root = os.tmpdir(); const bytes = Buffer.alloc(1 << 20); let deep = root;
     while (deep.length + 202 < 4000) fs.mkdirSync((deep = join(deep, 'x'.repeat(200))));
     for (let times = 0; times < 40; times++) {
       fs.mkdirSync(join(root, 'd')); for (let i = 0; i < 4; i++) fs.writeFileSync(join(root, 'd', 'f'.repeat(200) + i), bytes);
       fs.renameSync(join(root, 'd'), join(deep, String(times).padEnd(4080 - deep.length, 'y')));
     }
     return 'it is full of what nobody sees';`,
    'LIMIT_TEMP',
    FS,
  ),
  returns(
    'a directory that may not be read, left behind',
    `fs.mkdirSync(join(os.tmpdir(), 'd')); fs.writeFileSync(join(os.tmpdir(), 'd', 'x'), 'x'); fs.chmodSync(join(os.tmpdir(), 'd'), 0); return 'left';`,
    /^left$/,
    { ...FS, isProbe: true },
  ),
  returns('the mask of new files', `return String(process.umask(0));`, /^18$/, { isProbe: true }),
  returns('the title of its process', `process.title = 'owned'; return 'its own';`, /^its own$/, { isProbe: true }),
  denied('a handler of all exceptions', `process.setUncaughtExceptionCaptureCallback(() => {});`, DENIED),
  denied('the end of a debugger', `process._debugEnd();`, `${DENIED}|TypeError`),
  denied('the end of its process', `process.reallyExit(3);`, DENIED),
  denied('process.binding of spawn_sync', `return Object.keys(process.binding('spawn_sync')).length;`, DENIED),
  returns('a handler of SIGTERM', `process.on('SIGTERM', () => {}); return 'of no use';`, /^of no use$/, {
    isProbe: true,
  }),
  returns(
    'standard input',
    `return new Promise((resolve) => process.stdin.on('data', resolve).on('end', () => resolve('empty')));`,
    /^empty$/,
    { isProbe: true },
  ),
  returns('a clock in memory that it shares', `return String(new SharedArrayBuffer(8).byteLength);`, /^8$/, {
    isProbe: true,
    isOpen: true,
  }),
  // The runtime calls what a servlet gives it: `eval` imports as the module does that calls it.
  ...(
    [
      ['the start of a thread, which opens sockets on descriptors', `inside('thread')`],
      ['the policy for modules', `inside('guest/module-policy')`],
      ['hooks for modules', `inside('servlet/compile-hook')`],
      ['the start of a thread, by a query', `inside('thread') + '?x'`],
      ['the start of a thread, by an empty name in its path', `inside('/thread')`],
      ['a forbidden built-in', `'node:net'`],
    ] as const
  ).map(([what, specifier]) =>
    denied(
      `${what}, by eval in the place of a converter`,
      `return Object.keys(await evaluated(${specifier})).join();`,
      DENIED,
      {
        prelude: `import { createArg, rule } from '@custodian/worker';
        const inside = (name) => import.meta.resolve('@custodian/worker').replace('index', name);
        const evaluated = (specifier) => {
          try { rule\`/\${createArg({ in: eval, out: eval })}\`(() => 'x').url('globalThis.imported = import(' + JSON.stringify(specifier) + ')'); } catch {}
          return globalThis.imported;
        };`,
      },
    ),
  ),
  // What the account of the temporary directory is made of.
  denied(
    'more than fits, with the functions that count it replaced',
    `const file = join(os.tmpdir(), 'x'); fs.writeFileSync(file, ''); Math.max = () => -1e15; Array.isArray = () => false; globalThis.Number = () => 0; fs.truncateSync(file, 1);
     const bytes = [Buffer.alloc(1 << 20)]; const fd = fs.openSync(file, 'w'); for (let i = 0; i < 200; i++) fs.writevSync(fd, bytes);`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, in directories that say that they are none',
    `const hide = () => { for (let from = fs.Stats.prototype; from !== Object.prototype; from = Object.getPrototypeOf(from)) { from.isDirectory = () => false; Object.defineProperty(from, 'size', { get: () => 0, set() {} }); } };
     try { hide(); } catch {}
     fs.mkdirSync(join(os.tmpdir(), 'd')); for (let i = 0; i < 200; i++) fs.writeFileSync(join(os.tmpdir(), 'd', String(i)), Buffer.alloc(1 << 20));`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, in files that have no name any more',
    `for (let i = 0; i < 200; i++) { const file = join(os.tmpdir(), String(i)); const fd = fs.openSync(file, 'w'); fs.unlinkSync(file); fs.writeSync(fd, Buffer.alloc(1 << 20)); }`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, all at once',
    `const bytes = Buffer.alloc(1 << 20); await Promise.all(Array.from({ length: 200 }, (_, i) => fsp.writeFile(join(os.tmpdir(), String(i)), bytes)));`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, by copies of an address that changes',
    `const small = join(os.tmpdir(), 'small'); const large = join(os.tmpdir(), 'large'); fs.writeFileSync(small, ''); fs.writeFileSync(large, Buffer.alloc(1 << 20));
     for (let i = 0; i < 200; i++) { let isRead = false; fs.copyFileSync({ href: 'file:///', protocol: 'file:', hostname: '', get pathname() { const path = isRead ? large : small; isRead = true; return path; } }, join(os.tmpdir(), String(i))); }
     for (let i = 0; i < 200; i++) if (fs.statSync(join(os.tmpdir(), String(i))).size > 0) return 'copied';
     throw Object.assign(new Error('all are small'), { code: 'LIMIT_TEMP' });`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'more than fits, in buffers that grow when they have been counted',
    `const written = []; const bytes = new Uint8Array(new ArrayBuffer(0, { maxByteLength: 1 << 20 })); for (let i = 0; i < 100; i++) written.push(fsp.writeFile(join(os.tmpdir(), String(i)), bytes));
     bytes.buffer.resize(1 << 20); await Promise.all(written); for (let i = 0; i < 100; i++) if (fs.statSync(join(os.tmpdir(), String(i))).size > 0) return 'written';
     throw Object.assign(new Error('all are empty'), { code: 'LIMIT_TEMP' });`,
    'LIMIT_TEMP',
    FS,
  ),
  denied(
    'many directories at once',
    `for (let i = 0; i < 200; i++) fs.mkdirSync(join(os.tmpdir(), String(i)) + '/d'.repeat(1000), { recursive: true });`,
    'LIMIT_TEMP',
    FS,
  ),
  returns(
    'what its request cost, told as nothing',
    `const real = Buffer.prototype.writeUInt32BE; Buffer.prototype.writeUInt32BE = function (value, at) { return Reflect.apply(real, this, [value > 50_000 ? 1 : value, at]); };
     const start = Date.now(); while (Date.now() - start < 100); return 'it was nothing';`,
    /^it was nothing$/,
    { isProbe: true, isOpen: true },
  ),
  denied(
    'many directories at once, by an address in bytes',
    `for (let i = 0; i < 200; i++) fs.mkdirSync(Buffer.from(join(os.tmpdir(), String(i)) + '/d'.repeat(1000)), { recursive: true });`,
    'LIMIT_TEMP',
    FS,
  ),
  steals(
    'what Node runs at the moment, which it takes from its list by Array.prototype.pop',
    `const real = Array.prototype.pop;
     Array.prototype.pop = function () { const value = Reflect.apply(real, this, []); for (const given of value?.args ?? []) take(given?.stream); return value; };`,
  ),
  steals(
    'all ticks, by a used block of their queue, which Node keeps by Array.prototype.push',
    `const real = Array.prototype.push; const ticks = [];
     Array.prototype.push = function (...given) {
       const block = given[0];
       if (typeof block?.isFull === 'function') {
         const blocks = Object.getPrototypeOf(block); const add = blocks.push;
         blocks.push = function (tick) { take(tick?.args?.[0]?.stream); return Reflect.apply(add, this, [tick]); };
         Array.prototype.push = real;
       }
       return Reflect.apply(real, this, given);
     };
     for (let i = 0; i < 5000; i++) process.nextTick(() => {});
     await new Promise((resolve) => setTimeout(resolve, 20));`,
  ),
  ...ESCAPE_NODE,
]);
