#!/usr/bin/env node
/** The process entry: runs the command line and turns its result into the exit code. */
import { runCli } from './cli/run-cli.ts'

// Every command closes what it opened before it resolves, so no thread is inside the engine when this exits.
process.exit(await runCli(process.argv.slice(2)))
