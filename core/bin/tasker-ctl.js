#!/usr/bin/env node
// Here from the start, so that installing links the command before anything is built.
import "../dist/tasker.js";
