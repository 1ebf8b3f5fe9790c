// Everything the platform tells a run, read from its environment.

import { existsSync, readFileSync } from "node:fs";

/** A failure whose message is meant for the reader of the log. */
export class RunError extends Error {}

/** The variables with this prefix, as an object: `PAN_CFG_STEP` becomes `step`. */
function withPrefix(prefix) {
  return Object.fromEntries(
    Object.entries(process.env)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length).toLowerCase(), value]),
  );
}

/** About this run: mode, triggers, what the last run left behind. */
export const context = withPrefix("PAN_CTX_");

/** The customer's settings. */
export const config = withPrefix("PAN_CFG_");

/** Credentials of the connected systems. Never print the values. */
export const secrets = withPrefix("PAN_SEC_");

/** A setting that must be a whole number. */
export function integerSetting(name, fallback) {
  const text = config[name] ?? String(fallback);
  if (!/^-?\d+$/.test(text)) {
    throw new RunError(`the setting \`${name}\` must be a whole number, but it is \`${text}\``);
  }
  return Number(text);
}

/** A setting that is a check box; booleans arrive as the words `true` and `false`. */
export function booleanSetting(name) {
  return config[name] === "true";
}

/**
 * What started this run: several triggers may share one run. A long list does not fit into a
 * variable, so the file, which always has all of it, goes first.
 */
export function triggers() {
  const file = context.run_triggers_file;
  const text = file ? readFileSync(file, "utf8") : (context.run_triggers ?? "[]");
  return parse(text, "the list of triggers");
}

/** The body that came with a trigger, or null when it came with none. */
export function body(trigger) {
  const file = trigger.payload?.file;
  if (!file) return null;
  return parse(readFileSync(file, "utf8"), `the body of trigger ${trigger.id}`);
}

/**
 * What the last successful run printed; an empty object for the first run.
 *
 * There is one state for each customer, not one for each mode: what an init run prints replaces
 * what a normal run printed before.
 */
export function lastState() {
  const text = context.last_successful_run_std_out;
  if (!text) return {};
  const state = parse(text, "the state of the last run");
  if (state === null || typeof state !== "object") {
    throw new RunError(`the state of the last run is no object, but ${text}`);
  }
  return state;
}

/** What the build step left behind. */
export function buildInfo() {
  const file = new URL("../build-info.json", import.meta.url);
  return existsSync(file) ? parse(readFileSync(file, "utf8"), "build-info.json") : null;
}

function parse(text, what) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RunError(`${what} is not JSON: ${error.message}`);
  }
}
