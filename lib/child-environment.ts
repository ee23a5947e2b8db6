/** What child processes see of the environment. */

/** A debugger's: a child would wait for one, or for its port. Whatever else is there may be how packages are found. */
const inspectOptions = /--inspect\S*/g;

export function childEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS: process.env.NODE_OPTIONS?.replace(inspectOptions, "") };
}
