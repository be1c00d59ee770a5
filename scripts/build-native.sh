#!/usr/bin/env bash
# Builds native/ for the libtorch that is found (LIBTORCH, python3's torch, the system's), once.
# Prints one line. Exit 2 with one sentence where there is no compiler or no libtorch.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
if [ ! -d node_modules/tsx ]; then
  echo 'node_modules is missing: run `npm ci` first' >&2
  exit 2
fi
exec node --import tsx src/tensor/build.ts
