'use strict';
// Loaded before the integration's code (NODE_OPTIONS=--require): waits until there is a run for this
// process, and gives it the run's variables. Workers and child processes have nothing to wait for.
const place = process.env.MARQUETRY_START;
if (place && require('worker_threads').isMainThread) {
  const told = JSON.parse(require('fs').readFileSync(place, 'utf8'));
  for (const name of told.unset) delete process.env[name];
  Object.assign(process.env, told.set);
}
