// An integration in one sentence: it counts, and remembers how far it came.
//
// - stderr is the log: people read it.
// - stdout is the state: its last line, JSON, is handed to the next run.
// - The exit code is the verdict: anything but 0 means that the run failed.

import {
  RunError,
  body,
  booleanSetting,
  buildInfo,
  config,
  context,
  integerSetting,
  lastState,
  secrets,
  triggers,
} from "./environment.mjs";

const log = (...words) => console.error(...words);

/** The options of the selector `flavour`. A real integration would ask the connected system. */
function flavours() {
  return [
    { const: "vanilla", title: "Vanilla" },
    { const: "chocolate", title: "Dark chocolate" },
    { const: "hazelnut", title: "Hazelnut" },
  ];
}

/** The first run of a customer: tells the platform which options the selectors have. */
function init(state) {
  // The count goes along, or the next run would start again at 0.
  return { count: count(state), flavours: flavours() };
}

/** A run by schedule, by button or through the API: counts one step. */
function normal(state) {
  const next = count(state) + step();
  greet(next);
  return { count: next };
}

/** A run by webhook: counts what each body asks for, such as {"add": 5}; else one step. */
function webhook(state, received) {
  let next = count(state);
  for (const trigger of received) {
    const message = body(trigger);
    const add = message?.add ?? step();
    if (!Number.isSafeInteger(add)) {
      throw new RunError(`trigger ${trigger.id} wants to add ${JSON.stringify(add)}, no whole number`);
    }
    log(`trigger ${trigger.id} from ${trigger.source}: ${JSON.stringify(message)}, adding ${add}`);
    next += add;
  }
  greet(next);
  return { count: next };
}

/** How far the runs before came. */
function count(state) {
  const last = state.count ?? 0;
  if (!Number.isSafeInteger(last)) {
    throw new RunError(`the state of the last run has the count ${JSON.stringify(last)}, no whole number`);
  }
  return last;
}

/** How far one run counts. */
function step() {
  const size = integerSetting("step", 1);
  if (size < 1) throw new RunError(`the setting \`step\` must be at least 1, but it is ${size}`);
  return size;
}

function greet(now) {
  const name = context.tenant_name ?? "whoever you are";
  const line = `${config.greeting ?? "Hello"}, ${name}: the count of ${config.flavour ?? "things"} is now ${now}`;
  log(booleanSetting("loud") ? line.toUpperCase() : line);
}

function main() {
  const mode = context.run_mode ?? "normal";
  const received = triggers();
  log(`mode: ${mode}`);
  log("built with:", buildInfo()?.node ?? "nothing, the build step has not run");
  log("config:", JSON.stringify(config));
  log("secrets (names only):", Object.keys(secrets).sort().join(", ") || "none");
  for (const { id, source } of received) log(`trigger: ${id} from ${source}`);

  const state = lastState();
  log("state of the last run:", JSON.stringify(state));

  switch (mode) {
    case "init":
      return init(state);
    case "normal":
      return normal(state);
    case "webhook":
      return webhook(state, received);
    default:
      throw new RunError(`unknown mode \`${mode}\`; this code knows init, normal and webhook`);
  }
}

try {
  console.log(JSON.stringify(main()));
} catch (error) {
  log("failed:", error instanceof RunError ? error.message : error);
  process.exitCode = 1;
}
