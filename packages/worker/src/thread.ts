/**
 * What runs in a worker thread: one lease. It opens the thread's channel to the acceptor, loads the servlet, and
 * answers requests until its supervisor ends it. The only file that knows that there are threads.
 */
import { Socket } from 'node:net';
import { failureOf, FrameReader, FrameWriter, type LeaseOrder, RunningRequest, ToHost, ToWorker } from '@custodian/protocol';
import { replaceOutput } from './output.ts';
import { RequestRunner } from './request-runner.ts';
import { installResolver, loadServlet } from './servlet/load.ts';

export default async function lease(task: { order: LeaseOrder; memory: SharedArrayBuffer }): Promise<never> {
  const { order } = task;
  // Kept from the servlet, which may replace it.
  const exit = process.exit.bind(process);
  const channel = new Socket({ fd: order.channelFd, readable: true, writable: true });
  const writer = new FrameWriter(channel);
  replaceOutput(writer);
  channel.on('error', () => exit(0));
  channel.on('close', () => exit(0));
  installResolver();

  const servlet = await loadServlet(order.servletUrl).catch((error: unknown) => {
    writer.frame(ToHost.LoadFailed, 0, Buffer.from(JSON.stringify(failureOf(error))));
    writer.flush();
    return null;
  });
  // A servlet that can't be loaded: the acceptor ends the thread when it has read why.
  if (servlet === null) return never();

  const runner = new RequestRunner(servlet, order, writer, new RunningRequest(task.memory));
  const reader = new FrameReader((type, id, buffer, start, end) => {
    switch (type) {
      case ToWorker.Request:
        return runner.onRequest(id, buffer, start, end);
      case ToWorker.Body:
        return runner.onBody(id, buffer.subarray(start, end));
      case ToWorker.BodyEnd:
        return runner.onBodyEnd(id);
      case ToWorker.Abort:
        return runner.onAbort(id);
      case ToWorker.Credit:
        return runner.onCredit(id, buffer.readUInt32BE(start));
    }
  });
  channel.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    runner.runQueued();
  });
  writer.frame(ToHost.Ready, 0, Buffer.from(JSON.stringify({ kind: servlet.kind, limits: servlet.limits })));
  return never();
}

/** The lease has no end of its own: its supervisor ends the thread. */
function never(): Promise<never> {
  return new Promise<never>(() => {});
}
