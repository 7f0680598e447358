import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The release whose tests are run. */
const VERSION = "7.0.15";
const APT = "/etc/apt";

/** Where what is fetched or measured once is kept, outside of the repository. */
export function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const path = join(base, "balsa-compat");
  mkdirSync(path, { recursive: true });
  return path;
}

/**
 * The directory of Redis's sources: `given`, or what Debian's source package holds, fetched once.
 * Throws when it is not there and cannot be had.
 */
export function suiteDirectory(given: string | undefined): string {
  const path = given ?? join(cacheDirectory(), `redis-${VERSION}`);
  if (given === undefined && !existsSync(join(path, "tests"))) fetchSource();
  if (!existsSync(join(path, "tests/test_helper.tcl"))) {
    throw new Error(`Cannot find Redis's tests in ${path}: give its source tree with --suite DIR`);
  }
  return path;
}

/** `apt-get source` with lists of its own: needs neither root nor deb-src among the machine's. */
function fetchSource(): void {
  const cache = cacheDirectory();
  console.log(`fetching the source package of redis ${VERSION} into ${cache}`);
  const lists = join(cache, "apt/lists");
  const sources = join(cache, "apt/sources.list.d");
  for (const path of [join(lists, "partial"), sources]) mkdirSync(path, { recursive: true });
  writeSources(sources);
  const apt = (...words: string[]) =>
    execFileSync("apt-get", [
      ...["-qq", "-o", `Dir::State::Lists=${lists}`, "-o", "Dir::Etc::SourceList=/dev/null"],
      ...["-o", `Dir::Etc::SourceParts=${sources}`, "-o", `Dir::Cache=${join(cache, "apt")}`],
      ...["-o", "APT::Sandbox::User="],
      ...words,
    ], { cwd: cache, stdio: ["ignore", "inherit", "inherit"] });
  apt("update");
  apt("source", "--download-only", "redis");
  execFileSync("tar", ["xf", `redis_${VERSION}.orig.tar.gz`], { cwd: cache, stdio: "inherit" });
}

/** The machine's Debian sources, as such of source packages. */
function writeSources(folder: string): void {
  const parts = join(APT, "sources.list.d");
  const names = existsSync(parts) ? readdirSync(parts) : [];
  for (const name of names.filter((each) => /debian\S*\.sources$/.test(each))) {
    const text = readFileSync(join(parts, name), "utf8");
    writeFileSync(join(folder, name), text.replace(/^Types:.*$/gm, "Types: deb-src"));
  }
  const list = join(APT, "sources.list");
  if (!existsSync(list)) return;
  const text = readFileSync(list, "utf8").replace(/^deb(-src)? /gm, "deb-src ");
  writeFileSync(join(folder, "sources.list"), text);
}
