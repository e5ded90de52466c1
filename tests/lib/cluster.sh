# shellcheck shell=bash
# Sourced by tests and by the demo: throwaway PostgreSQL clusters and counted checks.
#
#   cluster_start NAME ['postgresql.conf line' …]   a fresh cluster, journey_stitch preloaded
#   cluster_stop [fast|immediate]   cluster_crash   cluster_resume   cluster_restart
#   create_database NAME                            with the extension, set up
#   private_postgres                                a copy of PostgreSQL's installation, to install things into
#   sql DATABASE 'text'             sql_file DATABASE FILE [psql option …]
#   check 'what' ACTUAL EXPECTED    check_true 'what' ACTUAL    wait_until 'what' SECONDS DATABASE 'SQL'
#   skip 'what and why'             summary
#
# A cluster listens on a unix socket in a private directory and nowhere else, so that it meets no other
# server, whatever its port. When the script ends, in whatever way, the cluster is taken down and its
# directory removed, unless KEEP=1.

PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/17/bin/pg_config}
PG_BIN=$("$PG_CONFIG" --bindir)
CLUSTER_DIR=''
PRIVATE_DIRS=()
PASSED=0 FAILED=0 SKIPPED=0

export PGHOST PGPORT=54320 PGUSER=postgres
export PGCONNECT_TIMEOUT=10
unset PGDATABASE PGOPTIONS PGSERVICE PGPASSFILE

# Copies what is installed, keeping the places relative to each other, by which PostgreSQL finds its parts.
# Clusters that are started afterwards run from the copy, which goes when the script ends.
private_postgres() {
    local prefix
    prefix=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_postgres.XXXXXX")
    PRIVATE_DIRS+=("$prefix")
    trap cluster_exit EXIT
    chmod 755 "$prefix"
    tar -C / -cf - "${PG_BIN#/}" "$("$PG_CONFIG" --pkglibdir | cut -c 2-)" "$("$PG_CONFIG" --sharedir | cut -c 2-)" |
        tar -C "$prefix" -xf -
    chmod -R a+rX "$prefix"
    PG_CONFIG=$prefix$PG_CONFIG
    PG_BIN=$prefix$PG_BIN
}

# A server must not run as root. Its working directory must be one that its user may enter.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

cluster_start() {
    local name=$1 base=${TMPDIR:-/tmp}
    shift
    [ -z "$CLUSTER_DIR" ] || cluster_remove
    as_server_user test -x "$base" || base=/tmp
    CLUSTER_DIR=$(mktemp -d "$base/journey_stitch_$name.XXXXXX")
    trap cluster_exit EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    [ "$(id -u)" != 0 ] || chown postgres: "$CLUSTER_DIR"
    PGHOST=$CLUSTER_DIR
    # Trust is safe here: nobody else can enter the socket's directory.
    as_server_user "$PG_BIN/initdb" -D "$CLUSTER_DIR/data" -U postgres --auth=trust --no-sync \
        --encoding=UTF8 --locale=C.UTF-8 >"$CLUSTER_DIR/initdb.log" 2>&1 ||
        { cat "$CLUSTER_DIR/initdb.log" >&2; return 1; }
    {
        printf '%s\n' "listen_addresses = ''" "port = $PGPORT" "unix_socket_directories = '$CLUSTER_DIR'" \
            "shared_preload_libraries = 'journey_stitch'" "max_worker_processes = 16" \
            "shared_buffers = '256MB'" "max_wal_size = '2GB'" "timezone = 'UTC'" \
            "log_line_prefix = '%m [%p] %b %d '" "$@"
    } >>"$CLUSTER_DIR/data/postgresql.conf"
    cluster_resume
}

# Without backtraces in the details of errors, whatever the caller's environment says.
pg_ctl() { as_server_user env RUST_BACKTRACE=0 "$PG_BIN/pg_ctl" -D "$CLUSTER_DIR/data" -s -w -t 60 "$@"; }
cluster_resume() { pg_ctl -l "$CLUSTER_DIR/log" start; }
cluster_stop() { pg_ctl -m "${1:-fast}" stop; }
cluster_restart() { pg_ctl -l "$CLUSTER_DIR/log" -m fast restart; }

# The postmaster's process id.
cluster_pid() { head -n 1 "$CLUSTER_DIR/data/postmaster.pid"; }

# Kills the server and all its processes as a power failure would.
cluster_crash() {
    local postmaster children pid
    postmaster=$(cluster_pid)
    # Stopped, it forks no process that would be left over, and keep the shared memory from the next server.
    kill -STOP "$postmaster"
    until grep -qs '^State:[[:space:]]*T' "/proc/$postmaster/status"; do sleep 0.01; done
    mapfile -t children < <(grep -ls "^PPid:[[:space:]]*$postmaster\$" /proc/[0-9]*/status | cut -d / -f 3)
    kill -9 "$postmaster" "${children[@]}" 2>/dev/null || true
    for pid in "$postmaster" "${children[@]}"; do
        until ! grep -qs '^State:[[:space:]]*[^Z]' "/proc/$pid/status"; do sleep 0.01; done
    done
    # Where nobody reaps orphans at once, the next server would take the dead one's zombie for a running server.
    rm -f "$CLUSTER_DIR/data/postmaster.pid" "$CLUSTER_DIR/.s.PGSQL.$PGPORT.lock"
}

cluster_remove() {
    if [ -f "$CLUSTER_DIR/data/postmaster.pid" ]; then
        cluster_stop immediate >/dev/null 2>&1 || true
    fi
    rm -rf "$CLUSTER_DIR"
    CLUSTER_DIR=''
}

cluster_exit() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    # shellcheck disable=SC2046 # process ids
    kill $(jobs -p) 2>/dev/null || true
    if [ -n "$CLUSTER_DIR" ]; then
        if [ $((status + FAILED)) -gt 0 ] && [ "$status" != 130 ] && [ -f "$CLUSTER_DIR/log" ]; then
            printf '%s\n' '--- the end of the server log:' >&2
            tail -n 40 "$CLUSTER_DIR/log" >&2
        fi
        if [ "${KEEP:-}" = 1 ]; then
            cluster_how_to
        else
            cluster_remove
        fi
    fi
    [ ${#PRIVATE_DIRS[@]} = 0 ] || rm -rf "${PRIVATE_DIRS[@]}"
    exit "$status"
}

# How to look at a cluster that was kept.
cluster_how_to() {
    local sudo=''
    [ "$(id -u)" != 0 ] || sudo='sudo -u postgres '
    printf '\n%s\n' "KEEP=1: the cluster is still up, in $CLUSTER_DIR"
    printf '  look at it:  %s\n' "$sudo$PG_BIN/psql -h $PGHOST -p $PGPORT -U postgres ${KEEP_DATABASE:-postgres}"
    printf '  remove it:   %s\n' "$sudo$PG_BIN/pg_ctl -D $CLUSTER_DIR/data -m fast stop && rm -r $CLUSTER_DIR"
}

psql() { command "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -P pager=off "$@"; }
sql() { psql -At -d "$1" -c "$2"; }
sql_file() { psql -d "$1" -f "$2" "${@:3}"; }

create_database() {
    sql postgres "CREATE DATABASE $1"
    sql "$1" "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
    sql "$1" "SELECT journey_stitch.setup()" >/dev/null
}

passed() { PASSED=$((PASSED + 1)); printf 'ok      %s\n' "$1"; }
failed() { FAILED=$((FAILED + 1)); printf 'FAILED  %s\n' "$1"; }
skip() { SKIPPED=$((SKIPPED + 1)); printf 'SKIPPED: %s\n' "$1"; }

check() {
    if [ "$2" = "$3" ]; then
        passed "$1"
    else
        failed "$1"
        printf '  actual:   %s\n  expected: %s\n' "$2" "$3"
    fi
}

check_true() { check "$1" "$2" t; }

# Polls until the query answers t; a failed check if it never does.
wait_until() {
    local what=$1 seconds=$2 database=$3 query=$4 answer=''
    local start=$SECONDS
    while [ "$answer" != t ]; do
        if [ $((SECONDS - start)) -gt "$seconds" ]; then
            failed "$what (not within $seconds s; the query answers '$answer')"
            return
        fi
        [ -z "$answer" ] || sleep 0.05
        # The server may be on its way up.
        answer=$(sql "$database" "$query" 2>/dev/null) || answer='an error'
    done
    passed "$what"
}

summary() {
    local skipped=''
    [ "$SKIPPED" = 0 ] || skipped=", $SKIPPED skipped"
    printf '%s passed, %s failed%s\n' "$PASSED" "$FAILED" "$skipped"
    [ "$FAILED" = 0 ]
}
