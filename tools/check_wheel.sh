#!/bin/sh
# check_wheel.sh PYTHON: builds the wheel, installs it into an environment of its own, first without extras and
# then with what the service needs, and runs it there, away from the source.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
service=""
end() {
    [ -z "$service" ] || kill -9 "$service" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT
trap 'exit 1' INT TERM

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

echo "wheel: the service"
mkdir "$scratch/service"
cd "$scratch/service"
"$bin/understudy" run --simulator --traffic 20 --port 0 >"$scratch/out" 2>&1 &
service=$!
"$bin/python" - "$scratch/out" <<'PYTHON' || {
import json, re, sys, time, urllib.request

deadline = time.monotonic() + 60
url = None
while url is None and time.monotonic() < deadline:
    url = re.search(r"http://127\.0\.0\.1:\d+", open(sys.argv[1]).read())
    time.sleep(0.1)
if url is None:
    sys.exit("the service did not say where it is")


def read(path):
    return urllib.request.urlopen(url[0] + path, timeout=30).read()


if json.loads(read("/health"))["ready"] is not True:
    sys.exit("the service is not ready")
served = 0.0
while not served and time.monotonic() < deadline:
    served = sum(map(float, re.findall(rb'upstream_requests_total\{[^}]*outcome="success"\} (\S+)', read("/metrics"))))
    time.sleep(0.1)
if not served:
    sys.exit("no call of its own traffic was served")
PYTHON
    cat "$scratch/out" >&2
    exit 1
}
kill -TERM "$service"
code=0
wait "$service" || code=$?
service=""
[ "$code" = 0 ] || {
    echo "wheel: the service should end with 0 on SIGTERM, not with $code; it said:" >&2
    cat "$scratch/out" >&2
    exit 1
}
echo "wheel: installs, serves and stops"
