// Imported by cells whose threads are not held to their caps: accounting looks, asks and reports as ever, and has nobody collect garbage.
import { HeapCap } from '../../packages/host/src/cell/heap-cap.ts';

HeapCap.prototype.collect = () => {};
