/** Who answers a request: what `serve({ dispatchers: [...] })` is put together from. */
export { type Answerer, type Dispatcher, type DispatchSite, type Pass, sequence } from './dispatcher.ts';
export { files, type FilesOptions } from './files.ts';
export { filter } from './filter.ts';
export { limit, type LimitOptions } from './limit.ts';
export { log, type LogOptions } from './log.ts';
export { method } from './method.ts';
export { notFound, type NotFoundResponder } from './not-found.ts';
export { passwords } from './passwords.ts';
export { path } from './path.ts';
export { quit } from './quit.ts';
export type { Realm } from './realms.ts';
export { refresh } from './refresh.ts';
export { respond } from './respond.ts';
export { servlets } from './servlets.ts';
export { servletsRoot, type ServletsRootOptions } from './servlets-root.ts';
export { site } from './site.ts';
export { stat } from './stat.ts';
export { timeout } from './timeout.ts';
