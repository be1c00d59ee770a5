# Sourced by setup.sh: builds the addon, after installing the libtorch and the compiler that the
# build found missing. Which libtorch is taken, and whether the addon is fresh, is decided by
# build-native.sh alone.

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

compiler_present() {
  local name
  for name in ${CXX:-c++ g++ clang++}; do
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  return 1
}

# Debian's libtorch takes any BLAS, and with the reference one it is some thirty times slower.
reference_blas() {
  command -v dpkg-query >/dev/null 2>&1 || return 1
  dpkg-query -W -f='${Status}\n' libtorch-dev 2>/dev/null | grep -q 'ok installed' || return 1
  # dpkg-query fails when one of the patterns matches nothing, whatever the others do.
  ! { dpkg-query -W -f='${Status}\n' 'libopenblas0*' 'libmkl-rt' 'libblis4*' 2>/dev/null || true; } |
    grep -q 'ok installed'
}

# install PACKAGE...: by apt where it may; otherwise one sentence says what to do.
install() {
  local missing
  case "$*" in
    'g++') missing='a C++ compiler is' ;;
    *g++*) missing='libtorch and a C++ compiler are' ;;
    *) missing='libtorch is' ;;
  esac
  if apt_allowed; then
    step 'apt-get update' apt_update || true
    step "apt-get install $*" apt_install "$@" ||
      fail "apt could not install $* ($(last_line)); check the network and $PWD/$log, then run this again."
  elif command -v apt-get >/dev/null 2>&1; then
    fail "$missing missing and installing needs root; run \"sudo apt-get install -y $*\", then run this again."
  elif [ "$(uname)" = Darwin ]; then
    fail "$missing missing; run \"xcode-select --install\" and \"brew install pytorch\", then run this again."
  else
    fail "$missing missing; install a C++ compiler and run \"pip install torch\" (or set LIBTORCH), then run this again."
  fi
}

build_addon() {
  bash scripts/build-native.sh >build/native.log 2>&1 </dev/null
}

setup_native() {
  local packages=() status=0
  if compgen -G 'build/native/*/heartbeat.node' >/dev/null && build_addon; then return 0; fi

  if ! compiler_present; then packages+=('g++'); fi
  if ! node --import tsx scripts/libtorch-found.ts >>"$log" 2>&1; then
    packages+=(libtorch-dev libopenblas0-openmp)
  fi
  if [ ${#packages[@]} -gt 0 ]; then
    install "${packages[@]}"
  elif reference_blas && apt_allowed; then
    step 'apt-get install libopenblas0-openmp' apt_install libopenblas0-openmp || true
  fi
  step 'addon for libtorch, built once' build_addon || status=$?
  cat build/native.log >>"$log"
  [ $status = 0 ] || fail "$(grep -v '^[[:space:]]*$' build/native.log | tail -n 1)"
}
