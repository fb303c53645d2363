// Imported by cells: how often their threads were asked what they hold is in the name of the process, where it costs nobody a message to know.
import { Worker } from 'node:worker_threads';

const getHeapStatistics = Reflect.get(Worker.prototype, 'getHeapStatistics') as Worker['getHeapStatistics'];
let count = 0;
Worker.prototype.getHeapStatistics = function (this: Worker) {
  process.title = `asks ${++count}`;
  return Reflect.apply(getHeapStatistics, this, []);
};
