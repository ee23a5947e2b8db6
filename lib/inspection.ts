/** What `console.log` shows of an object that keeps its parts to itself. */

/** Node's name for the method that is asked. */
export const inspection: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** An object that is shown as one of class `name` with these fields, in colours and depth like any other. */
export function shownAs(name: string, fields: () => object): object {
  const Shown = { [name]: class {} }[name] as new () => object;
  return Object.assign(new Shown(), known(fields));
}

/** Whoever looks at a broken object, or at a prototype, wants to see it and not another error. */
function known(fields: () => object): object {
  try {
    return fields();
  } catch {
    return {};
  }
}
