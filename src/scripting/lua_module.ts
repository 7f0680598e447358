import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { assert } from "../base/assert.ts";
import packed from "./wasm/lua_wasm.json" with { type: "json" };

let compiled: WebAssembly.Module | undefined;

/** Lua as WebAssembly, compiled at the first call: a node without scripts does not pay for it. */
export function luaModule(): WebAssembly.Module {
  if (compiled !== undefined) return compiled;
  const bytes = inflateRawSync(Buffer.from(packed.data, "base64"));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  assert(sha256 === packed.sha256, "the module is the one that was built");
  compiled = new WebAssembly.Module(bytes);
  return compiled;
}

/** The lower-case hexadecimal SHA-1 of bytes: the name of a script. */
export function sha1Hex(bytes: string): string {
  return createHash("sha1").update(bytes, "latin1").digest("hex");
}
