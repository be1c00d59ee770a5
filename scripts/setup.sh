#!/usr/bin/env bash
# Sets up what is missing, once:  setup.sh javascript | native | all
#   javascript  npm packages, and dist/ from src/
#   native      libtorch and a compiler (by apt on Debian and Ubuntu, where allowed), then the addon
# One short line a step goes to stderr; details go to build/setup.log. Exit 2 with one sentence when
# the user must act.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-all}
log=build/setup.log

fail() {
  printf 'heartbeat: %s\n' "$1" >&2
  exit 2
}

# step TEXT COMMAND...: one line with the seconds it took; the command's output goes to the log.
step() {
  local text=$1 begun=$SECONDS status=0
  shift
  printf 'set-up: %s ... ' "$text" >&2
  printf '\n== %s\n' "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  if [ $status = 0 ]; then
    printf '%d s\n' $((SECONDS - begun)) >&2
  else
    printf 'failed\n' >&2
  fi
  return $status
}

last_line() {
  grep -v '^[[:space:]]*$' "$log" | grep -iE 'error|cannot|unable|fail' | grep -v 'complete log' | tail -n 1 | cut -c1-200 || true
}

# Runs at most one set-up of this folder at a time; a second one waits and then finds everything
# done.
lock() {
  { mkdir -p build && : >>"$log"; } 2>/dev/null ||
    fail "cannot write to $PWD/build; make this folder writable, or run ./heartbeat once as its owner."
  if command -v flock >/dev/null 2>&1; then
    exec 9>build/setup.lock
    if ! flock -n 9; then
      echo 'set-up: waiting for another set-up of this folder' >&2
      flock 9
    fi
  else
    local waited=0
    until mkdir build/setup.lock.d 2>/dev/null; do
      waited=$((waited + 1))
      [ $waited -lt 1800 ] ||
        fail "another set-up has held $PWD/build/setup.lock.d for half an hour; delete that folder if none is running."
      sleep 1
    done
    trap 'rmdir build/setup.lock.d' EXIT
  fi
}

check_node() {
  command -v node >/dev/null 2>&1 ||
    fail 'Node.js 20 or newer is needed and no "node" is on the PATH; install it from https://nodejs.org and run this again.'
  local version
  version=$(node -p process.versions.node)
  [ "${version%%.*}" -ge 20 ] ||
    fail "Node.js 20 or newer is needed, and this is Node.js $version; install a newer one from https://nodejs.org and run this again."
}

# npm keeps the list of what it installed; "npm ci" would only delete and bring back the same
# packages.
packages_match() {
  node -e '
    const read = (path) => JSON.parse(require("fs").readFileSync(path, "utf8")).packages;
    const wanted = read("package-lock.json"), present = read("node_modules/.package-lock.json");
    const missing = Object.keys(wanted).filter((name) => name && !wanted[name].optional
      && wanted[name].version !== present[name]?.version);
    process.exit(missing.length ? 1 : 0);' 2>/dev/null
}

setup_packages() {
  cmp -s package-lock.json node_modules/.heartbeat-lock.json && return 0
  if ! packages_match; then
    command -v npm >/dev/null 2>&1 ||
      fail 'npm is needed to install the packages and is not on the PATH; install Node.js 20 or newer with npm and run this again.'
    step 'npm packages' npm ci --include=dev --no-audit --no-fund --no-update-notifier \
      --prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 ||
      fail "\"npm ci\" failed ($(last_line)); check the network and $PWD/$log, then run this again."
  fi
  cp package-lock.json node_modules/.heartbeat-lock.json
}

setup_dist() {
  if [ -e dist/.stamp ] && [ ! scripts/transpile.ts -nt dist/.stamp ] &&
    [ -z "$(find src -newer dist/.stamp -print | head -n 1)" ]; then
    return 0
  fi
  node --import tsx scripts/transpile.ts 2>>"$log" ||
    fail "src/ could not be transpiled ($(last_line)); see $PWD/$log."
}

case $what in
  javascript | native | all) ;;
  *) fail "setup.sh: expected javascript, native or all, got \"$what\"." ;;
esac
lock
if [ "$what" != native ]; then
  check_node
  setup_packages
  setup_dist
fi
if [ "$what" != javascript ]; then
  # shellcheck source=scripts/setup-libtorch.sh
  . scripts/setup-libtorch.sh
  setup_native
fi
