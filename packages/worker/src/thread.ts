/**
 * What runs in a worker thread: one lease. It opens the thread's channel to the acceptor, loads the servlet, and
 * answers requests until its supervisor ends it. The only file that knows that there are threads.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  type FrameHandler,
  FrameReader,
  FrameWriter,
  type GuestOrder,
  LastCollection,
  type LeaseOrder,
  type Ready,
  RunningRequest,
  ToHost,
  ToWorker,
} from '@custodian/protocol';
import { setAccountCap } from './account.ts';
import { openAsks } from './asks.ts';
import { Collector } from './collector.ts';
import { authorsFailure, directoryOf, recordCrashes } from './failure-source.ts';
import { enclose } from './guest/enclose.ts';
import { replaceOutput } from './output.ts';
import { reportHolding, tellHoldings } from './holding.ts';
import { createThresholdLruManager, setThreadCap } from './manager/threshold-lru.ts';
import { RequestRunner } from './request-runner.ts';
import type { CompileTask } from './servlet/compile-hook.ts';
import { installPart, installResolver, loadServlet } from './servlet/load.ts';
import type { Servlet } from './servlet/servlet.ts';

const READ_BYTES = 64 * 1024;

/** How a servlet's modules are run. */
export interface ServletModules {
  /** null: none of them asks for continuations, and they are run as they are. */
  compile: CompileTask | null;
  /** See {@link installPart}. */
  partImporters: readonly string[];
}

/** What the supervisor hands over with a lease. */
export interface LeaseTask {
  order: LeaseOrder;
  /** See {@link RunningRequest}. */
  memory: SharedArrayBuffer;
  /** See {@link Collector}. */
  collectorPort: MessagePort;
  /** See {@link LastCollection}. */
  collectorMemory: SharedArrayBuffer;
  /** When they are here. */
  modules: Promise<ServletModules>;
}

export default async function lease(task: LeaseTask): Promise<never> {
  const { order } = task;
  // Kept from the servlet, which may replace it.
  const exit = process.exit.bind(process);
  let onData: (bytes: Buffer) => void = () => {};
  const channel = new Socket({
    fd: order.channelFd,
    readable: true,
    writable: true,
    // One buffer for all reads: a new one for each would be garbage that counts as the servlet's memory.
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes, buffer) => {
        onData((buffer as Buffer).subarray(0, bytes));
        return true;
      },
    },
  } as SocketConstructorOpts);
  const writer = new FrameWriter(channel);
  const asks = openAsks(writer);
  // Before the servlet is loaded, which could else be handed the memory.
  const running = new RunningRequest(task.memory);
  const setCap = (bytes: number): void => {
    setAccountCap(bytes);
    setThreadCap(bytes);
  };
  setCap(order.heapMaxBytes);
  const collector = new Collector(task.collectorPort, new LastCollection(task.collectorMemory), setCap);
  replaceOutput(writer, order.logMaxBytesPerSecond);
  channel.on('error', () => exit(0));
  channel.on('close', () => exit(0));
  installResolver();
  // Where the author's lines are, in development.
  const directory = order.isDevelopment ? directoryOf(order.servletUrl) : null;
  recordCrashes(directory);
  // What has been answered is out before an error that nobody caught ends the thread: it would be done again elsewhere.
  process.on('uncaughtExceptionMonitor', () => writer.flush());

  let runner: RequestRunner | null = null;
  const onFrame: FrameHandler = (type, id, buffer, start, end) => {
    switch (type) {
      case ToWorker.Request:
        return runner?.onRequest(id, buffer, start, end);
      case ToWorker.Body:
        return runner?.onBody(id, Buffer.from(buffer.subarray(start, end)));
      case ToWorker.BodyEnd:
        return runner?.onBodyEnd(id);
      case ToWorker.Abort:
        return runner?.onAbort(id);
      case ToWorker.ClientEnd:
        return runner?.onClientEnd(id);
      case ToWorker.Credit:
        return runner?.onCredit(id, buffer.readUInt32BE(start));
      case ToWorker.TellHoldings:
        return tellHoldings(writer);
      case ToWorker.AnswerBody:
        collector.moved(end - start);
        return asks.onFrame(type, id, buffer, start, end);
      default:
        return asks.onFrame(type, id, buffer, start, end);
    }
  };
  const reader = new FrameReader(onFrame, { reusesMemory: true });
  onData = (chunk) => {
    reader.push(chunk);
    runner?.runQueued();
  };

  const servlet = await load(task, writer, channel, collector).catch((error: unknown) => {
    writer.frame(ToHost.LoadFailed, 0, Buffer.from(JSON.stringify(authorsFailure(error, directory))));
    writer.flush();
    return null;
  });
  // A servlet that can't be loaded: the acceptor ends the thread when it has read why.
  if (servlet === null) return never();

  runner = new RequestRunner(servlet, order, { writer, asks, running, collector });
  const takesRawBody = servlet.kind === 'fetch' || servlet.takesRawBody;
  const ready: Ready = { kind: servlet.kind, limits: servlet.limits, takesRawBody };
  if (servlet.persistence === 'checkpoint') ready.revives = true;
  if (servlet.startUrl !== undefined) ready.startUrl = servlet.startUrl;
  writer.frame(ToHost.Ready, 0, Buffer.from(JSON.stringify(ready)));
  return never();
}

async function load(task: LeaseTask, writer: FrameWriter, channel: Socket, collector: Collector): Promise<Servlet> {
  const { order } = task;
  const { compile, partImporters } = await task.modules;
  installPart(partImporters);
  if (compile === null) {
    if (order.guest !== null) await encloseGuest(order.guest, channel);
    return loadServlet(order.servletUrl);
  }
  const { installCompiler } = await import('./servlet/compile-hook.ts');
  const { ContinuationServlet, tolerateSignals } = await import('./servlet/continuation-servlet.ts');
  installCompiler(compile, () => collector.catchUp(receiveMessageOnPort));
  // Before the servlet, which may seal with it as it is loaded.
  if (compile.persistence !== null) await (await import('./stuffer/seal-stuffer.ts')).fetchKeys(order.servletName);
  if (order.guest !== null) await encloseGuest(order.guest, channel);
  const servlet = await loadServlet(order.servletUrl, compile.persistence);
  if (order.keepsVersion && compile.persistence !== null)
    await (await import('./version/versions.ts')).keepVersion(compile);
  const manager = servlet.manager ?? createThresholdLruManager();
  tolerateSignals();
  const { place, servletName: name, isDevelopment } = order;
  const at = { place, name, isSequential: order.unit !== 'servlet' };
  if (compile.persistence === 'checkpoint') {
    const { CheckpointedServlet } = await import('./servlet/checkpointed-servlet.ts');
    const checkpointed = new CheckpointedServlet(servlet, manager, { ...at, isDevelopment });
    checkpointed.onChange = reportHolding(manager, writer, () => checkpointed.unsavedCount);
    return checkpointed;
  }
  reportHolding(manager, writer);
  if (compile.persistence === null) return new ContinuationServlet(servlet, manager, at);
  const { StatelessServlet } = await import('./servlet/stateless-servlet.ts');
  return new StatelessServlet(servlet, manager, at);
}

async function encloseGuest(guest: GuestOrder, channel: Socket): Promise<void> {
  const fetch = guest.hasFetch ? (await import('./guest/brokered-fetch.ts')).brokeredFetch : null;
  enclose(guest, channel, fetch);
}

/** The lease has no end of its own: its supervisor ends the thread. */
function never(): Promise<never> {
  return new Promise<never>(() => {});
}
