# Sourced by setup.sh: finds or installs libtorch and a compiler, then builds the addon.
# Which libtorch is taken, and whether the addon is fresh, is decided by build-native.sh alone.

apt_allowed() {
  command -v apt-get >/dev/null 2>&1 || return 1
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_update() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# What may already hold a libtorch: named by hand, Python's torch, or the system's.
libtorch_present() {
  [ -n "${LIBTORCH:-}" ] && return 0
  python3 -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' 2>/dev/null && return 0
  system_libtorch_present
}

system_libtorch_present() {
  [ -e /usr/include/ATen/ATen.h ] || [ -e /usr/local/include/ATen/ATen.h ] ||
    [ -e /opt/homebrew/opt/pytorch/include/ATen/ATen.h ] || [ -e /usr/local/opt/pytorch/include/ATen/ATen.h ]
}

compiler_present() {
  command -v "${CXX:-g++}" >/dev/null 2>&1 || command -v c++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1
}

# Debian's libtorch runs 35 times slower on the reference BLAS than on OpenBLAS.
reference_blas() {
  command -v dpkg-query >/dev/null 2>&1 || return 1
  dpkg-query -W -f='${Status}' libtorch-dev 2>/dev/null | grep -q 'ok installed' || return 1
  ! dpkg-query -W -f='${Status}\n' 'libopenblas0*' 'libmkl-rt' 'libblis4*' 2>/dev/null | grep -q 'ok installed'
}

# The packages that this machine lacks, one a line.
missing_packages() {
  compiler_present || echo g++
  libtorch_present || echo libtorch-dev
  if ! libtorch_present || reference_blas; then echo libopenblas0-pthread; fi
}

what_is_missing() {
  local names=()
  libtorch_present || names+=('libtorch')
  compiler_present || names+=('a C++ compiler')
  [ ${#names[@]} = 2 ] && echo "${names[0]} and ${names[1]} are missing" && return
  case ${names[0]} in libtorch) echo 'libtorch is missing' ;; *) echo "${names[0]} is missing" ;; esac
}

setup_native() {
  local packages
  packages=$(missing_packages | tr '\n' ' ')
  packages=${packages% }
  if [ -n "$packages" ]; then
    if apt_allowed; then
      # shellcheck disable=SC2086  # the list is split on purpose
      step 'apt update' apt_update || true
      # shellcheck disable=SC2086
      step "apt install $packages" apt_install $packages || {
        libtorch_present && compiler_present ||
          fail "apt could not install $packages ($(last_line)); check the network and $PWD/$log, then run this again."
      }
    elif ! libtorch_present || ! compiler_present; then
      if command -v apt-get >/dev/null 2>&1; then
        fail "$(what_is_missing) and installing needs root; run \"sudo apt-get install -y $packages\", then run this again."
      elif [ "$(uname)" = Darwin ]; then
        fail "$(what_is_missing); run \"xcode-select --install\" and \"brew install pytorch\", then run this again."
      fi
      fail "$(what_is_missing); install a C++ compiler and \"pip install torch\" (or set LIBTORCH to a libtorch folder), then run this again."
    fi
  fi
  local begun=$SECONDS
  bash scripts/build-native.sh >>"$log" 2>&1 </dev/null ||
    fail "the addon could not be built ($(last_line)); see $PWD/$log."
  [ $((SECONDS - begun)) -lt 2 ] || printf 'set-up: addon built ... %d s\n' $((SECONDS - begun)) >&2
}
