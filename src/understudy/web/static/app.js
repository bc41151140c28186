// What every page does once it is there: times in the reader's zone. Each concern is a module of its own.
// @ts-check

import "./live-badge.js";
import { localTimes } from "./times.js";

localTimes(document);
