#!/bin/sh
# check_wheel.sh PYTHON: builds the wheel, installs it into an environment of its own, first without extras and
# then with what the service needs, and runs it there, away from the source.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM

"$python" -m build --no-isolation --wheel --outdir "$scratch/dist" "$root" >"$scratch/build.log" 2>&1 || {
    cat "$scratch/build.log" >&2
    exit 1
}
wheel=$(echo "$scratch"/dist/understudy-*.whl)
"$python" -m venv "$scratch/venv"
bin=$scratch/venv/bin
install() {
    "$bin/python" -m pip install -qq --disable-pip-version-check "$@"
}
cd "$scratch"

echo "wheel: without extras"
install --require-hashes -r "$root/requirements/base.txt"
install --no-deps "$wheel"
"$bin/python" -W error -c 'import understudy; [getattr(understudy, name) for name in understudy.__all__]'
if "$bin/understudy" run >"$scratch/out" 2>&1; then
    echo "wheel: 'understudy run' without the service extra should have failed" >&2
    exit 1
fi
grep -q 'understudy\[service\]' "$scratch/out" && ! grep -q Traceback "$scratch/out" || {
    echo "wheel: without the service extra 'understudy run' should name it in one line; it said:" >&2
    cat "$scratch/out" >&2
    exit 1
}

echo "wheel: with the service extra"
install --require-hashes -r "$root/requirements/run.txt"
"$bin/python" -m pip check
"$bin/understudy" --help >/dev/null
cp "$root/src/understudy/config/sample.toml" "$scratch/understudy.toml"
"$bin/understudy" config check --config "$scratch/understudy.toml"
echo "wheel: installs and runs"
