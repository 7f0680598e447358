#!/usr/bin/env bash
# Makes dist/balsa, one executable that needs neither Node.js, Bun, Deno nor node_modules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

deno_targets=(
  x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
  x86_64-apple-darwin aarch64-apple-darwin
  x86_64-pc-windows-msvc aarch64-pc-windows-msvc
)
bun_targets=(
  bun-linux-x64 bun-linux-x64-baseline bun-linux-arm64
  bun-linux-x64-musl bun-linux-x64-musl-baseline bun-linux-arm64-musl
  bun-darwin-x64 bun-darwin-x64-baseline bun-darwin-arm64
  bun-windows-x64 bun-windows-x64-baseline bun-windows-arm64
)

usage() {
  cat <<TEXT
Usage: ./compile.sh [--with deno|bun] [--target TARGET]

Makes dist/balsa (dist/balsa.exe for Windows).

  --with deno|bun   the runtime that goes into it (deno)
  --target TARGET   another platform than this one
  -h, --help        this text

Targets of deno:
$(printf '  %s\n' "${deno_targets[@]}")
Targets of bun:
$(printf '  %s\n' "${bun_targets[@]}")

deno compile puts a prebuilt runtime, denort, in front of the program and downloads it when it is
not in its cache. Without a way to it, set DENORT_BIN to a denort of deno's own version, or use
--with bun.
TEXT
}

fail() {
  echo "compile.sh: $1" >&2
  exit "${2:-1}"
}

with=deno
target=
while [ $# -gt 0 ]; do
  case "$1" in
    --with=* | --target=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --with | --target)
      [ $# -ge 2 ] || fail "$1 needs a value (--help lists them)" 2
      if [ "$1" = --with ]; then with=$2; else target=$2; fi
      shift 2
      ;;
    -h | --help) usage && exit 0 ;;
    *) fail "unknown argument $1 (--help lists them)" 2 ;;
  esac
done

case "$with" in
  deno) targets=("${deno_targets[@]}") ;;
  bun) targets=("${bun_targets[@]}") ;;
  *) fail "--with must be deno or bun, not $with" 2 ;;
esac
if [ -n "$target" ]; then
  printf '%s\n' "${targets[@]}" | grep -qxF -- "$target" ||
    fail "$with has no target $target; it has: ${targets[*]}" 2
fi

# The program's own packages, and the compiler when the system has none.
if [ ! -d node_modules/hono ]; then
  command -v npm >/dev/null || fail "node_modules is missing and there is no npm to fill it"
  npm install --no-audit --no-fund >&2
fi
if [ -x "node_modules/.bin/$with" ]; then
  compiler=$PWD/node_modules/.bin/$with
else
  compiler=$(command -v "$with") || fail "no $with in node_modules/.bin or PATH: run npm install"
fi

case "$target" in *windows*) name=balsa.exe ;; *) name=balsa ;; esac
mkdir -p dist
# Built aside and moved: a running dist/balsa is left alone, a failure leaves the old one.
work=$(mktemp -d "$PWD/dist/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Threads start from files of their own.
workers=(src/storage/*_worker.ts)

case "$with" in
  bun)
    # Bytecode saves most of the start. The SQLite add-on of Node.js is not for Bun.
    "$compiler" build --compile --bytecode --external better-sqlite3 \
      ${target:+--target="$target"} cli/main.ts "${workers[@]}" --outfile "$work/$name"
    ;;
  deno)
    if [ -n "${DENORT_BIN:-}" ] && [ ! -f "$DENORT_BIN" ]; then
      fail "DENORT_BIN names no file: $DENORT_BIN"
    fi
    if ! "$compiler" compile --allow-all --no-check --quiet ${target:+--target "$target"} \
      "${workers[@]/#/--include=}" --output "$work/$name" cli/main.ts 2>"$work/errors"; then
      cat "$work/errors" >&2
      if grep -qi 'denort\|base binary' "$work/errors"; then
        fail "deno compile needs denort and could not download it (see above). Set DENORT_BIN to \
the path of a denort of version $("$compiler" --version | sed -n '1s/^deno \([^ ]*\).*/\1/p'), \
or build with the other runtime: ./compile.sh --with bun"
      fi
      fail "deno compile failed"
    fi
    cat "$work/errors" >&2
    ;;
esac

[ -f "$work/$name" ] || fail "$with made no executable"
if [ -z "$target" ]; then
  # It must run where there is no node_modules.
  (cd "$work" && "./$name" version) || fail "the executable does not run"
fi
mv -f "$work/$name" "dist/$name"
echo "dist/$name"
