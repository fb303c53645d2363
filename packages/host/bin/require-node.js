// `npm test` runs this first: a wrong Node gets one clear line and not a page of syntax errors.
import { NODE_MIN_MAJOR, complaint, majorOf } from './find-node.js';

if (majorOf(process.version) < NODE_MIN_MAJOR) {
  console.error(complaint('custodian'));
  process.exit(1);
}
