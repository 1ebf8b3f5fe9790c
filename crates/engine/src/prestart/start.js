'use strict';
// Loaded before the integration's code (NODE_OPTIONS=--require): waits until there is a run for this
// process, and gives it the run's variables. Workers and child processes have nothing to wait for.
const place = process.env.MARQUETRY_START;
if (place && require('worker_threads').isMainThread) {
  const told = require('fs').readFileSync(place, 'utf8').split('\0');
  // The last word says that all of it has come.
  if (told.pop() !== '.') process.exit(70);
  for (const word of told) {
    const name = word.slice(1);
    const at = name.indexOf('=');
    if (word[0] === '-') delete process.env[name];
    else process.env[name.slice(0, at)] = name.slice(at + 1);
  }
}
