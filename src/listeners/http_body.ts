import { Buffer } from "node:buffer";
import { HttpProblem } from "./http_types.ts";

/**
 * The whole body of a request, at most `bytesMax` bytes: a longer one is refused by its declared
 * length, or, when that is missing, as soon as too much has arrived. A body that ends early is a
 * problem too, never a shorter value.
 */
export async function readBody(
  request: Request,
  bytesMax: number,
): Promise<Buffer | HttpProblem> {
  const declared = request.headers.get("content-length");
  try {
    if (declared === null) return await readStream(request, bytesMax);
    const bytes = Number(declared);
    if (bytes > bytesMax) return tooLarge(bytesMax, declared);
    if (bytes === 0) return EMPTY;
    const body = Buffer.from(await request.arrayBuffer());
    return body.length === bytes ? body : INCOMPLETE;
  } catch {
    return INCOMPLETE;
  }
}

async function readStream(request: Request, bytesMax: number): Promise<Buffer | HttpProblem> {
  if (request.body === null) return EMPTY;
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) return chunks.length === 1 ? Buffer.from(chunks[0]) : Buffer.concat(chunks, bytes);
    bytes += value.length;
    if (bytes > bytesMax) {
      reader.cancel().catch(() => {});
      return tooLarge(bytesMax, `at least ${bytes}`);
    }
    chunks.push(value);
  }
}

function tooLarge(bytesMax: number, actual: string): HttpProblem {
  return new HttpProblem(
    413,
    `ERR max request size exceeded. Limit: ${bytesMax} bytes, Actual: ${actual} bytes.`,
  );
}

const EMPTY = Buffer.alloc(0);
const INCOMPLETE = new HttpProblem(400, "ERR the request body ended before its declared length");
