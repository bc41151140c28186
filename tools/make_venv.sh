#!/bin/sh
# make_venv.sh VENV REQUIREMENTS: makes the environment if it is not there, and installs the pinned list and
# this project into it. Which index pip uses is pip's own configuration.
set -eu
venv=$1
requirements=$2

fail() {
    echo "understudy: $*" >&2
    exit 1
}

suits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for each in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if suits "$each"; then
            echo "$each"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and none was found on PATH; install it, or name it: make PYTHON=/path/to/python3"
}

# Debian ships the venv module as a package of its own.
offer_venv_module() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || fail \
        "$1 cannot make a virtual environment; install its venv module (on Debian: apt install python3-venv)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
}

if ! suits "$venv/bin/python"; then
    python=$(find_python)
    rm -rf "$venv"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        offer_venv_module "$python"
    fi
    "$python" -m venv "$venv"
fi
echo "Installing $requirements into $venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$requirements"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
