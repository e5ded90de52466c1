#!/usr/bin/env bash
# The scripts that a superuser runs, by CREATE EXTENSION and ALTER EXTENSION UPDATE, checked by pgspot: for names that
# a search_path could lead astray, and for objects that somebody could have made before.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh

# pglast is the parser that it uses: another version might read the scripts otherwise.
PGSPOT=0.9.4 PGLAST=7.21
VENV=${XDG_CACHE_HOME:-$HOME/.cache}/journey_stitch/pgspot-$PGSPOT-$PGLAST
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_pgspot.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT

versions() {
    "$VENV/bin/python" -c 'from importlib.metadata import version; print(version("pgspot"), version("pglast"))' || true
}

# Once a machine. The package index is needed then; without it this fails, for what has not been checked is not good.
install_pgspot() {
    [ "$(versions 2>/dev/null)" != "$PGSPOT $PGLAST" ] || return 0
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "pgspot==$PGSPOT" "pglast==$PGLAST"
}

# findings SCRIPT [option …]: what pgspot finds, its errors and what it does not know included; or nothing.
findings() {
    local status=0
    "$VENV/bin/python" -m pgspot "${@:2}" "$1" >"$SCRATCH/findings" 2>&1 || status=$?
    if [ "$status" != 0 ] || ! grep -qx ' *Errors: 0 Warnings: 0 Unknown: 0 *' "$SCRATCH/findings"; then
        printf 'exit status %s\n' "$status"
        cat "$SCRATCH/findings"
    fi
}

# Else nothing would follow from its finding nothing.
finds_what_is_there() {
    cat >"$SCRATCH/bad.sql" <<'SQL'
CREATE OR REPLACE FUNCTION public.f() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    RETURN now() > 'today'::date;
END $$;
CREATE TABLE IF NOT EXISTS public.t (at timestamptz DEFAULT now());
SQL
    check "what is wrong with a bad script" "$(findings "$SCRATCH/bad.sql" | grep -o '^PS[0-9]*' | sort -u | xargs)" \
        'PS001 PS002 PS003 PS012 PS016 PS017'
    printf 'CREATE FUNCTION f(\n' >"$SCRATCH/broken.sql"
    check "a script that it cannot read" "$(findings "$SCRATCH/broken.sql" | head -n 1)" 'exit status 1'
}

check_scripts() {
    local directory version script
    directory=$("$PG_CONFIG" --sharedir)/extension
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    check "the version that is installed" \
        "$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$directory/journey_stitch.control")" "$version"
    check_true "its script is there, with its functions" \
        "$([ "$(grep -cE '^CREATE +FUNCTION' "$directory/journey_stitch--$version.sql")" -gt 30 ] && echo t)"
    check "pgspot finds in journey_stitch--$version.sql" "$(findings "$directory/journey_stitch--$version.sql")" ''
    # The first release's script is as it was released, and checked no more.
    for script in sql/journey_stitch--*--*.sql; do
        [ -f "$script" ] || continue
        # PS002 is CREATE OR REPLACE FUNCTION, with which an upgrade replaces the functions of the version before. In a
        # script of an extension PostgreSQL (from 14.5 on) refuses it for a function that is not the extension's own.
        check "pgspot finds in $(basename "$script")" "$(findings "$script" --ignore PS002)" ''
    done
}

install_pgspot
finds_what_is_there
check_scripts
summary
