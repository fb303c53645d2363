/** CPU time that pieces of the supervisor's work have taken: what watching costs is to be seen, too. */
export class CpuMeter {
  /** In ms, so far. */
  ms = 0;

  /** Runs something that waits for nothing. */
  run<Value>(work: () => Value): Value {
    const before = process.threadCpuUsage();
    try {
      return work();
    } finally {
      const used = process.threadCpuUsage(before);
      this.ms += (used.user + used.system) / 1000;
    }
  }
}

/** Of reading what threads hold and have used. */
export const sampling: CpuMeter = new CpuMeter();
