import { openRealWorld } from '../contract/real-world.ts';
import { contractSuite } from '../contract/suite.ts';

contractSuite('Linux', openRealWorld);
