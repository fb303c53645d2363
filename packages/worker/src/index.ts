/** What a servlet imports. */
export { account, onPressure } from './account.ts';
export type { Account, HeldMemory, PressureHandler } from './account.ts';
export { basicCredentials, createBasicAuthHeader } from './auth/basic.ts';
export { createDigestAuth, digestCredentials, digestHa1 } from './auth/digest.ts';
export { ThreadNonceMemory } from './auth/digest-nonces.ts';
export { CookieError, cookieHeader, createCookie } from './cookie/cookie.ts';
export { createIdCookie, logoutIdCookie, requestIdCookie, validIdCookie } from './cookie/id-cookie.ts';
export { isSameText } from './cookie/key-ring.ts';
export { secretSalt, SecretSaltError } from './cookie/secret-salt.ts';
export { setCookie } from './cookie/set-cookie.ts';
export { createArg, integerArg, numberArg, oneOfArg, restArg, stringArg } from './dispatch/arg.ts';
export { createContainer } from './dispatch/container.ts';
export { dispatchRules } from './dispatch/dispatch-rules.ts';
export { nextDispatcher, NextDispatcherError } from './dispatch/next-dispatcher.ts';
export { DispatchUrlError } from './dispatch/pattern.ts';
export { otherwise, rule } from './dispatch/rule.ts';
export { template, textTemplate } from './template/template.ts';
export { TemplateError } from './template/template-source.ts';
export { cross, crossAll, pure, shown, tagged } from './formlet/combine.ts';
export {
  button,
  checkbox,
  checkboxGroup,
  createInput,
  createInputList,
  fieldInput,
  fileUpload,
  hidden,
  img,
  inputInteger,
  inputNumber,
  inputString,
  multiselectInput,
  passwordInput,
  radio,
  radioGroup,
  reset,
  selectInput,
  submit,
  textareaInput,
  textInput,
} from './formlet/inputs.ts';
export { FormletError } from './formlet/process.ts';
export { embedFormlet, sendFormlet } from './formlet/send-formlet.ts';
export { formlet } from './formlet/template.ts';
export { html, HtmlContextError, HtmlUrlError, HtmlValueError, raw, scriptValue } from './http/html.ts';
export { attributes } from './html/attributes.ts';
export { isSafeUrl } from './html/attribute-context.ts';
export { toXexpr } from './html/to-xexpr.ts';
export { toHtml, XexprError } from './http/xexpr.ts';
export { json } from './http/json.ts';
export { empty, redirectTo, response } from './http/response.ts';
export { eventStream } from './http/event-stream.ts';
export { BindingError } from './http/bindings.ts';
export { setAnyToResponse } from './http/any-to-response.ts';
export { createLruManager } from './manager/lru.ts';
export { NoContinuationError, NoInstanceError } from './manager/manager.ts';
export { createNoneManager } from './manager/none.ts';
export { createThresholdLruManager } from './manager/threshold-lru.ts';
export { createTimeoutManager } from './manager/timeout.ts';
export { getBinding, getBindings } from './servlet/get-binding.ts';
export { onExpired, withErrorsToBrowser } from './servlet/guard.ts';
export { embedUrl, page } from './servlet/page.ts';
export {
  adjustTimeout,
  clearContinuations,
  currentRequest,
  native,
  redirectGet,
  redirectGetForget,
  sendBack,
  sendFinish,
  sendForward,
  sendSuspend,
  sendSuspendDispatch,
  sendSuspendHidden,
  sendSuspendUrl,
  sendSuspendUrlDispatch,
} from './servlet/send.ts';
export { captureContinuation, type CapturedContinuation } from './servlet/capture-continuation.ts';
export { fileBox, type FileBox, FileBoxEmptyError } from './servlet/file-box.ts';
export { sequential } from './servlet/sequential.ts';
export { NoServerRefError, serverRef, type ServerRef } from './servlet/server-ref.ts';
export { softState, type SoftState } from './servlet/soft-state.ts';
export { base64Stuffer, base64UrlStuffer } from './stuffer/base64.ts';
export { gzipStuffer } from './stuffer/compress.ts';
export { createDefaultStuffer, defaultStuffer } from './stuffer/default-stuffer.ts';
export { dirStore, hashStuffer, md5Stuffer } from './stuffer/hash.ts';
export { hmacSha1, hmacStuffer } from './stuffer/hmac.ts';
export { hostStore } from './stuffer/host-store.ts';
export { sealStuffer } from './stuffer/seal-stuffer.ts';
export { serializeStuffer } from './stuffer/serialize.ts';
export { idStuffer, stufferChain, stufferCompose, stufferIf, stufferSequence } from './stuffer/stuffer.ts';
export { isUrlTooBig } from './stuffer/stuffing.ts';
export { continuationUrl } from './servlet/continuation-url.ts';
export { webCell } from './servlet/web-cell.ts';
export { createParameter as webParameter, OneShotError, UnsafeContextError } from './continuation/runtime.ts';
export { UnserializableError } from './continuation/serialize/errors.ts';
export { registerSerializable } from './continuation/serialize/registered.ts';
export type { Parameter as WebParameter } from './continuation/runtime.ts';
export type { AnyToResponse } from './http/any-to-response.ts';
export type { LruManagerOptions } from './manager/lru.ts';
export type { Clock, ContinuationManager, ExpirationHandler, ManagerOptions } from './manager/manager.ts';
export type { ThresholdLruManagerOptions } from './manager/threshold-lru.ts';
export type { TimeoutManagerOptions } from './manager/timeout.ts';
export type { BindingFormats, GetBindingOptions } from './servlet/get-binding.ts';
export type { Send } from './servlet/guard.ts';
export type { EmbedUrl, Page } from './servlet/send.ts';
export type { WebCell } from './servlet/web-cell.ts';
export type { BasicCredentials } from './auth/basic.ts';
export type { DigestAlgorithm, DigestAuth, DigestAuthOptions, DigestLookup, DigestOutcome } from './auth/digest.ts';
export type { NonceMemory } from './auth/digest-nonces.ts';
export type { Cookie, CookieOptions } from './cookie/cookie.ts';
export type { IdCookieCheck, IdCookieOptions } from './cookie/id-cookie.ts';
export type { KeyRing, SecretKey } from './cookie/key-ring.ts';
export type { RequestCookies } from './cookie/request-cookies.ts';
export type { PathArg, RestArg } from './dispatch/arg.ts';
export type { DispatchContainer } from './dispatch/container.ts';
export type { Dispatch } from './dispatch/dispatch-rules.ts';
export type { Otherwise, Rule, RuleHandler } from './dispatch/rule.ts';
export type { DisplayOptions } from './formlet/display.ts';
export type { FormFile, FormletSource } from './formlet/entered.ts';
export type { Formlet } from './formlet/formlet.ts';
export type { InputOptions, InputView } from './formlet/input-node.ts';
export type { ChoiceOptions, GroupOptions, TextOptions } from './formlet/inputs.ts';
export type { FormletOutcome } from './formlet/process.ts';
export type { FormOptions } from './formlet/send-formlet.ts';
export type { StandardSchema } from './formlet/standard-schema.ts';
export type { ServletLimits } from '@custodian/protocol';
export type { AskError } from './asks.ts';
export type { Saved } from './continuation/serialize/saved.ts';
export type { DefaultStufferOptions } from './stuffer/default-stuffer.ts';
export type { StufferStore } from './stuffer/hash.ts';
export type { SealOptions } from './stuffer/seal-stuffer.ts';
export type { Stuffer, StufferCondition, StufferLink } from './stuffer/stuffer.ts';
export type { Binding, Bindings, FormBinding } from './http/bindings.ts';
export type { EventStreamOptions, ServerEvent } from './http/event-stream.ts';
export type { FileBinding } from './http/file-binding.ts';
export type { Html } from './http/html.ts';
export type { Attributes, AttributeValue } from './html/attributes.ts';
export type { HeaderValue, HeaderValues } from './http/reply-head.ts';
export type { BodyWriter, PlainBody, PlainReply, ServletResult, StreamingBody, WrittenBody } from './http/reply.ts';
export type { Redirection } from './http/response.ts';
export type { ServletRequest } from './http/request.ts';
export type { Xexpr, XexprAttributes, XexprElement } from './http/xexpr.ts';
