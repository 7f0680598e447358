import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server as PageServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hasProgram, launch, scratchDirectory, type Server, startBalsa, until } from "./harness.ts";
import { command } from "./http_client.ts";

const TOKEN = "the-token";

/**
 * A page that reads the change feed and a channel with the browser's own EventSource, and posts
 * what it gets to its own server. It takes Balsa's port from a request, as a restart may move it.
 */
function page(port: number): string {
  return `<!doctype html><script>
    let last = Promise.resolve();
    // One after the other, so that they come in their order.
    const post = (what) => {
      last = last.then(() => fetch("/seen", { method: "POST", body: JSON.stringify(what) }));
    };
    const base = "http://127.0.0.1:${port}";
    const changes = new EventSource(base + "/changes?since=0&prefix=b&_token=${TOKEN}");
    changes.onmessage = ({ data, lastEventId }) =>
      post({ key: JSON.parse(data).key, id: lastEventId });
    changes.onopen = () => post({ opened: true });
    const channel = new EventSource(base + "/subscribe/chat?_token=${TOKEN}");
    channel.onmessage = ({ data }) => post({ line: data });
    const gone = new EventSource(base + "/changes?since=x&_token=${TOKEN}");
    gone.onerror = () => post({ state: gone.readyState });
  </script>`;
}

interface Seen {
  readonly key?: string;
  readonly id?: string;
  readonly opened?: boolean;
  readonly line?: string;
  readonly state?: number;
}

// Debian's chromium, without a window.
describe.skipIf(!hasProgram("chromium"))("a browser's EventSource", () => {
  const seen: Seen[] = [];
  const data = `${scratchDirectory()}/data`;
  let balsa: Server;
  let pages: PageServer;
  let browser: ReturnType<typeof launch>;

  async function start(httpPort?: number): Promise<void> {
    const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const args = ["--token", TOKEN, "--cors-origin", origin];
    if (httpPort !== undefined) args.push("--http-port", String(httpPort));
    const started = await startBalsa({ data, args });
    balsa = httpPort === undefined ? started : { ...started, httpPort };
  }

  const run = (...argv: string[]) =>
    command(balsa.httpPort, argv, { Authorization: `Bearer ${TOKEN}` });

  beforeAll(async () => {
    pages = createServer((request, response) => {
      if (request.method !== "POST") {
        response.setHeader("content-type", "text/html").end(page(balsa.httpPort));
        return;
      }
      let body = "";
      request.on("data", (chunk) => body += String(chunk));
      request.on("end", () => {
        seen.push(JSON.parse(body));
        response.end();
      });
    });
    await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", () => resolve()));
    await start();
    const words = [
      "chromium",
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-extensions",
    ];
    words.push(
      "--no-first-run",
      "--disable-dev-shm-usage",
      `--user-data-dir=${scratchDirectory()}`,
    );
    // Keeps the process with its page; the debugger has no part in this.
    words.push("--remote-debugging-port=0");
    browser = launch([...words, `http://127.0.0.1:${(pages.address() as AddressInfo).port}/`], "", {
      HOME: scratchDirectory(),
    });
  }, 180_000);
  afterAll(async () => {
    browser.kill();
    await browser.server.exited;
    await balsa.stop();
    pages.close();
  }, 180_000);

  const keys = () => seen.flatMap(({ key }) => key === undefined ? [] : [key]);

  test("reads changes and messages, and is refused for good what is wrong", async () => {
    await until(() => seen.some(({ opened }) => opened === true), "the page", 60_000);
    for (let i = 0; i < 20; i++) await run("SET", `b${i}`, "x");
    await run("SET", "other", "x");
    await until(() => keys().length >= 20, "the changes");
    expect(keys()).toEqual(Array.from({ length: 20 }, (_, i) => `b${i}`));
    await until(() => seen.some(({ line }) => line === "subscribe,chat,1"), "the channel");
    await run("PUBLISH", "chat", "héllo, all");
    await until(() => seen.some(({ line }) => line === "message,chat,héllo, all"), "the message");
    // EventSource gives up on an answer that is not 200: CLOSED is 2.
    await until(() => seen.some(({ state }) => state === 2), "the refusal");
  }, 90_000);

  test("connects again when the server is back, with neither gap nor double", async () => {
    const { httpPort } = balsa;
    await run("SET", "b20", "x");
    await until(() => keys().length >= 21, "the change");
    await balsa.kill9();
    await start(httpPort);
    for (let i = 21; i < 40; i++) await run("SET", `b${i}`, "x");
    await until(() => keys().length >= 40, "the changes after that", 60_000);
    expect(keys()).toEqual(Array.from({ length: 40 }, (_, i) => `b${i}`));
    const ids = seen.flatMap(({ id }) => id === undefined ? [] : [id]);
    expect(new Set(ids).size).toBe(40);
  }, 90_000);
});
