/** CPU time that this thread takes, but for some pieces of its work. It is read seldom: to ask at each piece costs as much as a small one. */
export class CpuMeter {
  #apartMs: number = threadCpuMs();

  /** In ms, since the meter was made. */
  get ms(): number {
    return threadCpuMs() - this.#apartMs;
  }

  /** Runs something that is not counted, and waits for nothing. */
  apart<Value>(work: () => Value): Value {
    const before = threadCpuMs();
    try {
      return work();
    } finally {
      this.#apartMs += threadCpuMs() - before;
    }
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
