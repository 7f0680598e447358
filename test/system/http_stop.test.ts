import { afterAll, describe, expect, test } from "bun:test";
import { balsaCommand, cleanupAll, type Runtime, startBalsa, until } from "./harness.ts";
import { command, SseReader } from "./http_client.ts";

const RUNTIMES: readonly Runtime[] = ["bun", "deno", "node", "binary"];

afterAll(cleanupAll);

for (const runtime of RUNTIMES) {
  describe.skipIf(balsaCommand(runtime) === undefined)(`a stop on ${runtime}`, () => {
    test("streams end with an event, and one that is not read holds nothing up", async () => {
      const server = await startBalsa({ runtime });
      const reader = (path: string) => new SseReader(server.httpPort, path);
      const readers = ["/changes", "/subscribe/a", "/psubscribe/*", "/monitor"].map(reader);
      const unread = reader("/subscribe/a");
      await until(() => [...readers, unread].every(({ status }) => status === 200), "streams");
      await until(() => unread.events.length === 1, "the subscription");
      unread.stopReading();
      // More than the sockets' buffers hold, less than a slow reader is dropped for.
      const payload = "x".repeat(500_000);
      for (let i = 0; i < 12; i++) {
        await command(server.httpPort, ["PUBLISH", "a", payload]);
        await until(() => readers[1].events.length === i + 2, "the message");
      }
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      await until(() => readers.every(({ isClosed }) => isClosed), "the ends");
      for (const { events } of readers) {
        expect(events.at(-1)).toMatchObject({ type: "end", data: "the server is stopping" });
      }
      unread.close();
    }, 180_000);
  });
}
