import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { err, type ErrorReply } from "../resp/reply.ts";
import { CONFIG_PARAMETERS } from "./config_parameters.ts";
import type { ConfigParameter } from "./config_types.ts";
import { globMatches } from "./glob.ts";
import { errQuoting, quoted } from "./help.ts";

/** Called with the name of a parameter after its value changed. */
export type ConfigListener = (name: string, value: Bytes) => void;

interface Change {
  readonly parameter: ConfigParameter;
  readonly value: Bytes;
}

/** The configuration of a node: what CONFIG GET tells and CONFIG SET changes. */
export class ConfigStore {
  readonly #byName = new Map<string, ConfigParameter>();
  readonly #values = new Map<ConfigParameter, Bytes>();
  readonly #listeners: ConfigListener[] = [];

  /** `initial`: by name, over the defaults; immutable ones too. Throws on an invalid value. */
  constructor(initial: Readonly<Record<string, Bytes>> = {}) {
    for (const parameter of CONFIG_PARAMETERS) {
      this.#byName.set(parameter.name, parameter);
      if (parameter.alias !== undefined) this.#byName.set(parameter.alias, parameter);
      this.#values.set(parameter, canonical(parameter, parameter.value));
    }
    for (const [name, value] of Object.entries(initial)) {
      const parameter = this.#byName.get(name);
      assert(parameter !== undefined, `no parameter ${name}`);
      this.#values.set(parameter, canonical(parameter, value));
    }
  }

  /**
   * The parameters that a glob pattern names, in any case: names and values. A name without glob
   * characters is told as it was given.
   */
  get(pattern: Bytes): readonly (readonly [Bytes, Bytes])[] {
    const lower = pattern.toLowerCase();
    if (!/[[*?]/.test(pattern)) {
      const parameter = this.#byName.get(lower);
      return parameter === undefined ? [] : [[pattern, this.#valueOf(parameter)]];
    }
    const found: [Bytes, Bytes][] = [];
    for (const [name, parameter] of this.#byName) {
      if (globMatches(lower, name)) found.push([name, this.#valueOf(parameter)]);
    }
    return found;
  }

  /** Sets parameters, all or none; Redis's error when one is unknown, immutable or invalid. */
  set(pairs: readonly (readonly [Bytes, Bytes])[]): ErrorReply | undefined {
    const wanted = new Map<string, readonly [ConfigParameter, Bytes]>();
    for (const [name, value] of pairs) {
      const lower = name.toLowerCase();
      const parameter = this.#byName.get(lower);
      if (parameter === undefined) {
        return errQuoting(
          `Unknown option or number of arguments for CONFIG SET - '${quoted(name)}'`,
        );
      }
      const isSame = parameter.immutable === "another value" && value === this.#valueOf(parameter);
      if (parameter.immutable && !isSame) return failed(name, "can't set immutable config");
      // An alias is a parameter of its own here: both may be set at once.
      if (wanted.has(lower)) return failed(name, "duplicate parameter");
      wanted.set(lower, [parameter, value]);
    }
    const changes: Change[] = [];
    for (const [name, [parameter, text]] of wanted) {
      const parsed = parameter.type.parse(text, this.#valueOf(parameter));
      if ("error" in parsed) return failed(name, parsed.error);
      changes.push({ parameter, value: parsed.value });
    }
    this.#apply(changes);
    return undefined;
  }

  /** `listener` is called after each change of a value, once all of one CONFIG SET are in. */
  onChange(listener: ConfigListener): void {
    this.#listeners.push(listener);
  }

  /** The value of a parameter by its present name, as CONFIG GET tells it. */
  text(name: string): Bytes {
    const parameter = this.#byName.get(name);
    assert(parameter !== undefined, `no parameter ${name}`);
    return this.#valueOf(parameter);
  }

  /** The value of a numeric parameter; beyond 2^53 rounded. */
  number(name: string): number {
    return Number(this.text(name));
  }

  /** The value of a yes/no parameter. */
  flag(name: string): boolean {
    return this.text(name) === "yes";
  }

  #valueOf(parameter: ConfigParameter): Bytes {
    const value = this.#values.get(parameter);
    assert(value !== undefined, `no value of ${parameter.name}`);
    return value;
  }

  #apply(changes: readonly Change[]): void {
    const changed = changes.filter(({ parameter, value }) => value !== this.#valueOf(parameter));
    for (const { parameter, value } of changed) this.#values.set(parameter, value);
    for (const { parameter, value } of changed) {
      for (const listener of this.#listeners) listener(parameter.name, value);
    }
  }
}

function canonical(parameter: ConfigParameter, text: Bytes): Bytes {
  const parsed = parameter.type.parse(text);
  if ("error" in parsed) throw new Error(`Invalid ${parameter.name} ${text}: ${parsed.error}`);
  return parsed.value;
}

function failed(name: Bytes, why: string): ErrorReply {
  return err(
    `CONFIG SET failed (possibly related to argument '${quoted(name)}') - ${why}`,
  );
}
