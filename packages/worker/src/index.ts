/** What a servlet imports. */
export { html, raw } from './http/html.ts';
export { json } from './http/json.ts';
export { BindingError } from './http/bindings.ts';
export type { ServletLimits } from '@custodian/protocol';
export type { Bindings } from './http/bindings.ts';
export type { Html } from './http/html.ts';
export type { HeaderValue, HeaderValues } from './http/reply-head.ts';
export type { PlainBody, PlainReply, ServletResult, StreamingBody } from './http/reply.ts';
export type { ServletRequest } from './http/request.ts';
export type { Xexpr, XexprElement } from './http/xexpr.ts';
