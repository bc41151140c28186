#!/bin/sh
# Makes sure that the programs which the tests start are there, or those that are named: as root from Debian's
# packages, otherwise what PATH offers. Fails naming what is missing; a test is never skipped because something was
# not installed.
set -eu

# One line for each program: its command, Debian's package, what the tests do with it.
needed() {
    cat <<'LIST'
git git tests/house reads the list of committed files
prometheus prometheus tests/flows has it scrape /metrics and compares what it stored
promtool prometheus tests/flows has it judge /metrics
initdb postgresql tests/servers.py starts a server of the tests' own
pg_dump postgresql-client tests/flows has it copy a database
chromium chromium tests/browser opens every page in it
systemd-analyze systemd tests/unit has it read the unit that `understudy service` writes
pgbouncer pgbouncer tests/flows has it stand between a store and its server
LIST
}

# What `make check` needs; only installed when it is named.
also() {
    cat <<'LIST'
tsc node-typescript make scripts has it check the types of the dashboard's scripts
LIST
}

# Debian keeps the programs of PostgreSQL's server off PATH, in a folder for each version.
there() {
    command -v "$1" >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1
}

missing_commands=""
missing_packages=""
while read -r command package _; do
    [ -n "$command" ] || continue
    if ! there "$command"; then
        missing_commands="$missing_commands $command"
        missing_packages="$missing_packages $package"
    fi
done <<LIST
$(if [ $# = 0 ]; then needed; else for each in "$@"; do { needed; also; } | grep "^$each "; done; fi)
LIST

[ -n "$missing_commands" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # Packages of servers start them; the tests start their own. This file is Debian's way to say so.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -qq
    # Word splitting is meant: the variable is a list of package names.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing_packages >/dev/null
    case "$missing_packages" in
    *prometheus*) systemctl disable --quiet prometheus 2>/dev/null || true ;;
    esac
    exit 0
fi
echo "understudy: these programs are needed, and PATH does not offer them:$missing_commands" >&2
echo "understudy: on Debian, as root: apt install$missing_packages" >&2
exit 1
