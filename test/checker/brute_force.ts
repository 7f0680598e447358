import { MODELS, type State } from "./models.ts";
import { isRead, type Operation } from "./operation.ts";

/** Whether some order explains a short history of one key: by the definition, tries all. */
export function isLinearizable(operations: readonly Operation[], start: State = null): boolean {
  const place = (rest: readonly Operation[], state: State): boolean => {
    if (rest.every(({ result }) => result === undefined)) return true;
    return rest.some((operation) => {
      // Something else had ended before it was called: that comes first.
      const isTooEarly = rest.some((other) =>
        other.result !== undefined && other.end < operation.call
      );
      if (isTooEarly) return false;
      const step = MODELS[operation.model](state, operation);
      if (operation.result !== undefined && operation.result !== step.result) return false;
      return place(rest.filter((other) => other !== operation), step.state);
    });
  };
  return place(
    operations.filter(({ name, result }) => result !== undefined || !isRead(name)),
    start,
  );
}
