import { openFakeWorld } from '../contract/fake-world.ts';
import { contractSuite } from '../contract/suite.ts';

contractSuite('fake kernel', openFakeWorld);
