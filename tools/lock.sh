#!/bin/sh
# Writes requirements/*.txt from requirements/*.in: exact versions with hashes, and no index address, so that
# whichever index pip is configured with is the one that is used. Run it with the environment of `make dev`.
set -eu
cd "$(dirname "$0")/../requirements"
compile() {
    "${PYTHON:-python3}" -m piptools compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-header \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
        --resolver=backtracking "$@"
}
compile --output-file=dev.txt dev.in
# The smaller sets are cut from the big one, so that one environment can grow from `run` to `dev`.
for name in base build run test docs bench; do
    compile --constraint=dev.txt --output-file="$name.txt" "$name.in"
done
