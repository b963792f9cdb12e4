#!/bin/sh
# From a bare Debian machine to running programs: sh cmake/setup.sh demo|test|peers|help
set -eu

PACKAGES="g++ cmake ninja-build libxsimd-dev nlohmann-json3-dev libstb-dev libeigen3-dev doctest-dev
          libcli11-dev libbenchmark-dev zlib1g-dev fonts-dejavu-core"
# The test of the shipped model reads the data set's test pictures; tests/conformance ONNX's cases;
# Dask, an engine with many processes, runs classify --stream; tests/build asks pkg-config for an
# installed Lumbar.
TEST_PACKAGES="dataset-fashion-mnist libonnx-testdata python3-distributed pkgconf"
# The comparison with other runtimes: the reference networks come from PyTorch.
PEER_PACKAGES="python3-venv python3-torch python3-torchvision"

usage() {
    cat <<'TEXT'
usage: sh cmake/setup.sh demo|test|peers|help

  demo   install what is missing, build the classifier, and run it on a few pictures
  test   install what is missing, build everything for this machine, and run the tests
  peers  install what is missing for benchmarks/peers/compare.sh, which calls this by itself
  help   print this

The first two build in build/native. All can be repeated: what is done already is not done again.
Packages are installed with apt-get, as root or through sudo; on other systems they have to be there.
TEXT
}

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# install PACKAGE...: calls apt-get only where something is missing.
install() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "Packages: this is not Debian, so nothing is installed"
        for tool in cmake ninja; do
            command -v $tool >/dev/null 2>&1 || fail "$tool is not installed"
        done
        return 0
    fi
    missing=
    for package in "$@"; do
        installed "$package" || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        say "Packages: all installed"
        return 0
    fi
    say "Packages: installing$missing"
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null 2>&1 ||
        fail "packages are missing, and installing them needs root or sudo:$missing"
    log=$(mktemp)
    # shellcheck disable=SC2086  # the names are words
    if ! { as_root apt-get update -q &&
        as_root apt-get install -q -y --no-install-recommends \
            -o DPkg::Lock::Timeout=300 $missing; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install$missing (is there a network?)"
    fi
    rm -f "$log"
    # apt-get update alone does not fail without a network.
    for package in $missing; do
        installed "$package" || fail "apt-get did not install $package"
    done
}

jobs() { nproc 2>/dev/null || echo 2; }

# quietly LOG WHAT COMMAND...: shows the end of the log only where the command fails.
quietly() {
    log=$1 what=$2
    shift 2
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 60 "$log" >&2
        fail "$what failed; all of it: $log"
    }
}

demo() {
    # shellcheck disable=SC2086
    install $PACKAGES
    say "Configuring: cmake --preset native"
    quietly build/setup/configure.log "configuring" cmake --preset native
    say "Building: cmake --build --preset native --target classify (about a minute)"
    quietly build/setup/build.log "building" \
        cmake --build --preset native --target classify --parallel "$(jobs)"
    set -- examples/fashion_mnist/images/*.png
    [ -e "$1" ] || fail "there are no pictures in examples/fashion_mnist/images"
    say "Running: build/native/examples/classify examples/fashion_mnist/images/*.png"
    build/native/examples/classify "$@" || fail "the classifier failed"
}

run_tests() {
    # shellcheck disable=SC2086
    install $PACKAGES $TEST_PACKAGES
    say "Configuring: cmake --preset native"
    quietly build/setup/configure.log "configuring" cmake --preset native
    say "Building: cmake --build --preset native (several minutes the first time)"
    quietly build/setup/build.log "building" cmake --build --preset native --parallel "$(jobs)"
    say "Testing: ctest --preset native"
    if ctest --preset native --parallel "$(jobs)"; then
        say "All tests passed"
    else
        fail "tests failed; once more, and alone: ctest --preset native --rerun-failed"
    fi
}

cd "$(dirname "$0")/.."
case ${1-help} in
    demo) demo ;;
    test) run_tests ;;
    peers)
        # shellcheck disable=SC2086
        install $PACKAGES $PEER_PACKAGES
        ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        fail "unknown word: $1"
        ;;
esac
