#!/usr/bin/env bash
# npm test [-- FILE...]: sets up what is missing, checks the types, runs the tests (all of test/, or
# the files given).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh all
node_modules/.bin/tsc --noEmit

# Several test files share the cores: a thread that waits must not spin.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

files=("$@")
if [ ${#files[@]} = 0 ]; then
  while IFS= read -r file; do files+=("$file"); done < <(find test -name '*.test.ts' | sort)
fi
exec node --import tsx scripts/run-tests.ts "${files[@]}"
