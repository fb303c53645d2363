/**
 * Of the operator's page: draws each snapshot. Everything that comes from outside is set as text, never as markup.
 * What is there already is changed in place, so that a button keeps the focus and a reader of the screen its place.
 */
export const SCRIPT = `
'use strict';
const $ = (id) => document.getElementById(id);
const mb = (bytes) => bytes === null ? 'any number of MB' : (bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0) + ' MB';
const kb = (bytes) => bytes < 1048576 ? (bytes / 1024).toFixed(bytes < 10240 ? 1 : 0) + ' KB' : mb(bytes);
const ms = (value) => value < 1 ? value.toFixed(2) + ' ms' : value < 1000 ? value.toFixed(value < 10 ? 1 : 0) + ' ms' : (value / 1000).toFixed(1) + ' s';
const age = (value) => { const s = Math.floor(value / 1000); return s < 60 ? s + ' s' : s < 3600 ? Math.floor(s / 60) + ' min' : s < 86400 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d'; };
const count = (value, one, many) => value + ' ' + (value === 1 ? one : many);

/** Marks that turn the direction of what follows, so that it could be read as something else, are shown as such. */
function plain(text) { return text.replace(/[\\u061C\\u200E\\u200F\\u202A-\\u202E\\u2066-\\u2069]/g, '\\uFFFD'); }
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = plain(text);
  return element;
}
function setText(element, given) { const text = plain(given); if (element.textContent !== text) element.textContent = text; }
/** Has one child of 'parent' for each item, in their order; those of old items are kept. */
function keyed(parent, items, keyOf, create, update) {
  const old = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  let before = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = old.get(key);
    if (element === undefined) { element = create(item); element.dataset.key = key; } else old.delete(key);
    update(element, item);
    if (element === before) before = before.nextElementSibling;
    else parent.insertBefore(element, before);
  }
  for (const element of old.values()) element.remove();
}
function facts(parent, pairs) {
  keyed(parent, pairs, ([name]) => name, ([name]) => { const box = make('div'); box.append(make('dt', '', name), make('dd')); return box; },
    (box, [, value]) => setText(box.lastElementChild, value));
}
function button(label, described, action, isDangerous) {
  const element = make('button', isDangerous ? 'danger' : '', label);
  element.type = 'button';
  element.setAttribute('aria-label', described);
  element.addEventListener('click', () => act(action, described));
  return element;
}
function bar(label) {
  const box = make('div', 'bar');
  const meter = make('meter');
  meter.setAttribute('aria-label', label);
  box.append(meter, make('small'));
  return box;
}
function setBar(box, value, max, text) {
  const [meter, small] = box.children;
  meter.max = Math.max(1, max); meter.low = max * 0.7; meter.high = max * 0.9; meter.optimum = 0; meter.value = value;
  meter.textContent = text;
  setText(small, text);
}
async function act(action, described) {
  notice(described + ' …');
  try {
    const response = await ask('/_custodian/actions', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(action) });
    const file = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') || '');
    if (response.ok && file) {
      const link = make('a');
      link.href = URL.createObjectURL(await response.blob());
      link.download = file[1];
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } else if (!response.ok) throw new Error((await response.json()).error);
    notice(described + ': done.');
  } catch (error) { notice(described + ': ' + error.message); }
}
function notice(text) { setText($('notice'), text); }

function createThread(servlet, thread) {
  const row = make('div', 'thread');
  const name = servlet.name + ', thread ' + thread.thread + ' of cell ' + thread.cell;
  const actions = make('div');
  const at = { cell: thread.cell, thread: thread.thread };
  actions.append(
    button('Kill', 'Kill ' + name, { action: 'kill', ...at }, true),
    button('Collect', 'Collect the garbage of ' + name, { action: 'collect', ...at }),
    button('Heap', 'Take a heap snapshot of ' + name, { action: 'heap-snapshot', ...at }));
  row.setAttribute('role', 'listitem');
  row.append(make('div'), bar('Memory of ' + name), bar('CPU time of the request in ' + name), make('div', 'request'), actions, createBranch());
  return row;
}
function updateThread(row, thread) {
  const [who, memory, cpu, request, , instances] = row.children;
  setText(who, 'thread ' + thread.cell + '.' + thread.thread + ', ' + thread.state + ', ' + age(thread.ageMs));
  const unseen = thread.unexplainedBytes < 1e6 ? '' : ' + other ' + mb(thread.unexplainedBytes);
  setBar(memory, thread.heapBytes + thread.offHeapBytes + thread.unexplainedBytes, thread.heapMaxBytes,
    'heap ' + mb(thread.heapBytes) + ' + off-heap ' + mb(thread.offHeapBytes) + unseen + ' of ' + mb(thread.heapMaxBytes));
  setBar(cpu, thread.requestCpuMs, thread.cpuMaxMs, 'CPU ' + ms(thread.requestCpuMs) + ' of ' + ms(thread.cpuMaxMs));
  setText(request, (thread.request === null ? 'idle' : thread.request + ' for ' + ms(thread.requestMs) + (thread.requests > 1 ? ', ' + (thread.requests - 1) + ' behind it' : '')) +
    ' · CPU ' + ms(thread.cpuMs) + ' · ' + count(thread.answered, 'answer', 'answers') + (thread.continuations > 0 ? ' · ' + count(thread.continuations, 'continuation', 'continuations') + ', ' + kb(thread.continuationBytes) : ''));
  const told = thread.instances;
  instances.hidden = told === null;
  if (told === null) return;
  updateBranch(instances, count(told.count, 'instance', 'instances') + (told.toldMs > 2000 ? ', as of ' + age(told.toldMs) + ' ago' : ''),
    told.newest, told.count, createBranch, (branch, instance) => updateBranch(branch,
      'instance ' + instance.number + ': ' + count(instance.continuations, 'continuation', 'continuations') + ', ' + kb(instance.bytes) + ', ' + age(instance.ageMs) + ' old',
      instance.newest, instance.continuations, () => make('span'), (leaf, continuation) =>
        setText(leaf, 'continuation ' + continuation.number + ': ' + kb(continuation.bytes) + ', ' + age(continuation.ageMs) + ' old')));
}
/** A part of the tree that opens; what is in a closed one is not drawn. */
function createBranch() {
  const branch = make('details');
  branch.append(make('summary'), make('ul', 'tree'));
  branch.addEventListener('toggle', () => { if (branch.draw) branch.draw(); });
  return branch;
}
function updateBranch(branch, title, items, total, create, update) {
  const [summary, list] = branch.children;
  setText(summary, title);
  branch.draw = () => {
    if (!branch.open) return;
    const rest = total - items.length;
    keyed(list, rest > 0 ? [...items, { rest }] : items, (item) => item.rest ? 'rest' : item.number,
      (item) => { const element = make('li'); element.append(item.rest ? make('span') : create(item)); return element; },
      (element, item) => item.rest ? setText(element.firstElementChild, 'and ' + item.rest + ' more') : update(element.firstElementChild, item));
  };
  branch.draw();
}
function createServlet(servlet) {
  const card = make('article');
  card.setAttribute('aria-label', 'Servlet ' + servlet.name);
  const head = make('header');
  const link = make('a', '', servlet.name);
  link.href = servlet.url;
  const title = make('h3');
  title.append(link);
  const state = make('span', 'state');
  head.append(title, state, button('Reload', 'Reload ' + servlet.name, { action: 'reload', servlet: servlet.name }));
  card.append(head, make('p', 'error'), make('p', 'facts'), make('p', 'facts'), make('div'));
  card.lastElementChild.setAttribute('role', 'list');
  card.lastElementChild.setAttribute('aria-label', 'Threads of ' + servlet.name);
  return card;
}
function updateServlet(card, servlet) {
  const [head, error, numbers, dials, threads] = card.children;
  const state = head.children[1];
  state.className = 'state ' + servlet.state;
  setText(state, servlet.state);
  error.hidden = servlet.error === null;
  setText(error, servlet.error === null ? '' : servlet.error);
  const { account, latency } = servlet;
  numbers.hidden = account.requests === 0 && servlet.queued === 0 && account.kills === 0;
  setText(numbers, count(account.requests, 'request', 'requests') + ' · ' + count(account.failures, 'failure', 'failures') + ' · ' + count(account.kills, 'death', 'deaths') +
    ' · p50 ' + ms(latency.p50Ms) + ' · p99 ' + ms(latency.p99Ms) + ' · CPU ' + ms(account.cpuMs) + ' (threads ' + ms(account.threadCpuMs) + ') · ' + servlet.queued + ' waiting · ' + count(servlet.continuations, 'continuation', 'continuations'));
  setText(dials, servlet.profile + ' · unit ' + servlet.unit + ' · cell ' + servlet.cell + ' · caps: memory ' + servlet.limits.heapMb + ' MB, CPU ' + ms(servlet.limits.cpuMs) + ', time ' + ms(servlet.limits.wallMs));
  keyed(threads, servlet.threadList, (thread) => thread.cell + '.' + thread.thread, (thread) => createThread(servlet, thread), updateThread);
}
function createCell(cell) {
  const row = make('tr');
  for (let index = 0; index < 8; index++) row.append(make(index === 0 ? 'th' : 'td'));
  row.firstElementChild.scope = 'row';
  row.children[4].append(bar('Resident memory of cell ' + cell.number));
  row.children[7].append(button('Kill', 'Kill cell ' + cell.number, { action: 'kill', cell: cell.number }, true));
  return row;
}
function updateCell(row, cell) {
  const cells = row.children;
  setText(cells[0], cell.number + ' (pid ' + cell.pid + ')');
  setText(cells[1], cell.profile);
  setText(cells[2], cell.servlets.length > 0 ? cell.servlets.join(', ') : 'waits for use');
  setText(cells[3], String(cell.threads));
  setBar(cells[4].firstElementChild, cell.rssBytes, cell.rssMaxBytes, mb(cell.rssBytes) + ' of ' + mb(cell.rssMaxBytes));
  setText(cells[5], age(cell.ageMs));
  setText(cells[6], ms(cell.samplingMs) + ' CPU, ' + (cell.samplingMs / Math.max(1, cell.ageMs) * 100).toFixed(2) + ' %');
}
function updateObituary(item, dead) {
  if (item.childElementCount > 0) return;
  const time = make('time', '', new Date(dead.at).toLocaleTimeString());
  time.dateTime = new Date(dead.at).toISOString();
  const who = dead.servlet + ', ' + (dead.lease === null ? 'cell ' + dead.cell : 'thread ' + dead.lease + ' of cell ' + dead.cell);
  item.append(time, make('span', 'cause', dead.cause), document.createTextNode(plain(' ' + who +
    (dead.limit === null ? '' : ', ' + dead.limit + ' ' + dead.limitValue) + (dead.request === null ? '' : ', at ' + dead.request) + (dead.detail === '' ? '' : ': ' + dead.detail) +
    ' (peak ' + mb(dead.peakHeapBytes + dead.peakOffHeapBytes) + ', CPU ' + ms(dead.cpuMs) + ', gone after ' + ms(dead.deathMs) + ')')));
}
function draw(state) {
  const requests = state.servlets.reduce((sum, servlet) => sum + servlet.account.requests, 0);
  facts($('host'), [
    ['Address', state.urls.join(', ')], ['Up', age(state.upMs)], ['Requests', String(requests)],
    state.latency.count === 0 ? ['p50 / p99', 'no requests yet'] : ['p50 / p99 of the last ' + state.latency.count, ms(state.latency.p50Ms) + ' / ' + ms(state.latency.p99Ms)],
    ['Connections', String(state.connections)], ['Acceptor', 'pid ' + state.pid + ', ' + mb(state.rssBytes)],
    ['Promised to threads', mb(state.reservedBytes) + ' of ' + mb(state.budgetBytes)], ['Node', state.node]]);
  keyed($('servlet-list'), state.servlets, (servlet) => servlet.name, createServlet, updateServlet);
  keyed($('cells'), state.cells, (cell) => cell.number, createCell, updateCell);
  keyed($('obituaries'), state.obituaries, (dead) => dead.number, () => make('li'), updateObituary);
  facts($('refusals'), Object.entries(state.refusals).map(([code, times]) => [code, String(times)]));
}
/** The token comes in the part of the address that is sent to nobody, and stays in this tab: a cookie would go to servlets, too. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) { sessionStorage.setItem('token', given); history.replaceState(null, '', location.pathname); }
  return sessionStorage.getItem('token') || '';
}
function ask(path, init) {
  return fetch(path, { ...init, headers: { ...(init || {}).headers, Authorization: 'Bearer ' + token } });
}
function say(text, isLost) { $('link').className = isLost ? 'lost' : ''; setText($('link'), text); }
/** A host that hangs closes nothing. */
let heardAt = null;
function heard() { heardAt = Date.now(); say('Live', false); }
setInterval(() => { if (heardAt !== null && Date.now() - heardAt > 5000) say('The host has said nothing for some seconds', true); }, 1000);
/** Draws each event as it comes, until there are no more. */
async function follow() {
  const response = await ask('/_custodian/events');
  if (response.status === 401) return false;
  heard();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = '';;) {
    const { value, done } = await reader.read();
    if (done) return true;
    text += value;
    for (let end = text.indexOf('\\n\\n'); end >= 0; end = text.indexOf('\\n\\n')) {
      heard();
      draw(JSON.parse(text.slice('data: '.length, end)));
      text = text.slice(end + 2);
    }
  }
}
const token = takeToken();
addEventListener('hashchange', () => location.reload());
(async () => {
  for (;;) {
    const isLetIn = await follow().catch(() => true);
    if (!isLetIn) return say('This page needs the token: open the address that the host printed when it started', true);
    heardAt = null;
    say('The host does not answer', true);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
})();
`;
