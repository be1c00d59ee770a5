#!/usr/bin/env bash
# show-offline.sh ARCHIVE FOLDER: unpacks ARCHIVE in a new FOLDER, then compiles the addon and runs
# the demo there as on a machine without network: in a network namespace with no way out, with Node
# and npm hidden, an empty home and an empty environment; for root, as user nobody.
# LIBTORCH and CXX are passed on; python3 is taken from the PATH.
set -euo pipefail
archive=$(realpath "${1:?expected the archive that ./heartbeat pack wrote}")
folder=${2:?expected a new folder to unpack in}
mkdir "$folder"
folder=$(realpath "$folder")
mkdir "$folder/home"
tar -xJf "$archive" -C "$folder" --no-same-owner
program=$(find "$folder" -mindepth 2 -maxdepth 2 -name heartbeat -type f)

map=(--map-root-user)
as=()
if [ "$(id -u)" = 0 ]; then
  map=()
  as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  chown -R 65534:65534 "$folder"
fi

export folder program
export -n BASH_ENV 2>/dev/null || true
exec unshare "${map[@]}" --net --mount bash -c '
  for name in node nodejs npm npx; do type -aP "$name" || true; done | xargs -r realpath | sort -u |
    while IFS= read -r path; do mount --bind /dev/null "$path"; done
  exec "$@"' show "${as[@]}" env -i "PATH=$PATH" "HOME=$folder/home" \
  ${LIBTORCH:+"LIBTORCH=$LIBTORCH"} ${CXX:+"CXX=$CXX"} bash -euc '
  cd "$1"
  echo "user $(id -un), network interfaces: $(sed -n "s/^ *\([^:]*\):.*/\1/p" /proc/net/dev | tr "\n" " ")"
  for name in node npm; do
    "$name" --version >/dev/null 2>&1 && { echo "$name still runs" >&2; exit 1; }
  done
  run() {
    local begun=$SECONDS
    printf "\n\$ %s\n" "$*"
    "$@"
    echo "($((SECONDS - begun)) s)"
  }
  run "$2" --help >/dev/null
  run "$2" doctor --no-speed
  run "$2" phantom --patients 1 --output phantom
  run "$2" demo --output demo
  ls -l demo' show "$folder" "$program"
