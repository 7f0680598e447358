import { describe, expect, test } from "bun:test";
import { fakeExecutor, serveFake } from "./http_fake_app.ts";
import { type RawResponse, sendRaw } from "./http_raw_client.ts";

const EDGE = "https://app.example";

async function ask(
  options: { corsOrigin?: string; tokens?: string[] },
  headers: Record<string, string>,
  method = "GET",
): Promise<RawResponse> {
  const server = await serveFake(fakeExecutor({ reason: "" }), options);
  try {
    return await sendRaw(server.port, { method, target: "/ok", headers });
  } finally {
    await server.stop();
  }
}

describe("CorsPolicy", () => {
  test("a preflight from a listed origin is allowed, with the headers it asks for", async () => {
    const headers = {
      "Origin": EDGE,
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization, upstash-encoding",
    };
    const options = { corsOrigin: `https://other.example, ${EDGE}`, tokens: ["t"] };
    const answer = await ask(options, headers, "OPTIONS");
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(EDGE);
    expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    expect(answer.headers.get("access-control-allow-methods")).toInclude("POST");
    expect(answer.headers.get("access-control-allow-headers")).toBe(
      "authorization, upstash-encoding",
    );
    expect(answer.headers.get("vary")).toBe("Origin");
  });

  test("answers and errors alike can be read from a listed origin", async () => {
    const options = { corsOrigin: EDGE, tokens: ["t"] };
    const good = await ask(options, { Origin: EDGE, Authorization: "Bearer t" });
    expect(good.status).toBe(200);
    expect(good.headers.get("access-control-allow-origin")).toBe(EDGE);
    const bad = await ask(options, { Origin: EDGE });
    expect(bad.status).toBe(401);
    expect(bad.headers.get("access-control-allow-origin")).toBe(EDGE);
  });

  test("an asterisk allows every origin, without credentials", async () => {
    const answer = await ask({ corsOrigin: "*", tokens: [] }, { Origin: EDGE });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
  });

  test("an origin that is not listed gets no such header", async () => {
    for (const corsOrigin of [undefined, "https://other.example"]) {
      const headers = { Origin: EDGE, Authorization: "Bearer t" };
      const answer = await ask({ corsOrigin, tokens: ["t"] }, headers);
      expect(answer.status).toBe(200);
      expect(answer.headers.has("access-control-allow-origin")).toBe(false);
      const preflight = await ask({ corsOrigin, tokens: ["t"] }, { Origin: EDGE }, "OPTIONS");
      expect(preflight.headers.has("access-control-allow-methods")).toBe(false);
    }
  });

  test("without tokens, pages of foreign origins are refused", async () => {
    expect((await ask({}, { Origin: EDGE })).status).toBe(403);
    expect((await ask({}, { Origin: "null" })).status).toBe(403);
    expect((await ask({}, { "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
    expect((await ask({}, { "Sec-Fetch-Site": "none" })).status).toBe(200);
    expect((await ask({}, { Origin: "http://localhost" })).status).toBe(200);
    expect((await ask({ corsOrigin: EDGE }, { Origin: EDGE })).status).toBe(200);
  });
});
