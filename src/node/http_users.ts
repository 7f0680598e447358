import type { Bytes } from "../base/bytes.ts";
import { parseRestToken } from "../commands/rest_token.ts";
import { resolve } from "../commands/table.ts";
import { type Access, equalInConstantTime, type HttpUsers } from "../listeners/http_auth.ts";
import { ErrorReply } from "../resp/reply.ts";
import type { AccessControl } from "../server/access_control.ts";

const DEFAULT = "default";

/**
 * The users as HTTP knows them: by tokens of ACL RESTTOKEN, and the default user by its password
 * as a token. `access` is undefined until the node runs; then the node's own password counts.
 */
export function makeHttpUsers(
  access: () => AccessControl | undefined,
  nodePassword: Bytes,
): HttpUsers {
  const accessOf = (name: Bytes): Access =>
    access()?.restrictionOf(name) === undefined ? "all" : { user: name };
  return {
    anonymous() {
      const isRequired = access()?.passwordRequired ?? nodePassword !== "";
      return isRequired ? "none" : accessOf(DEFAULT);
    },
    ofToken(token) {
      const control = access();
      if (control === undefined || !control.hasUsers) {
        const password = control?.nodePassword() ?? nodePassword;
        if (password !== "" && equalInConstantTime(token, password) === 1) return "all";
      }
      if (control === undefined) return "none";
      const given = parseRestToken(token);
      if (given !== undefined && control.checkPassword(given.user, given.password)) {
        return accessOf(given.user);
      }
      const isPassword = control.hasUsers && !control.user(DEFAULT)!.noPass &&
        control.checkPassword(DEFAULT, token);
      return isPassword ? accessOf(DEFAULT) : "none";
    },
    refusal({ user }, argv) {
      const command = resolve(argv);
      if (command instanceof ErrorReply) return command;
      const control = access();
      return control?.refusal({ restriction: control.restrictionOf(user) }, command, argv)?.reply;
    },
  };
}
