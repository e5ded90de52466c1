# shellcheck shell=bash
# Sourced by the demo and by the tests on real data, after lib/cluster.sh: makes batches and sends them.

DEMO_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A database with the extension and the demo's own schema.
demo_database() {
    create_database "$1"
    sql_file "$1" "$DEMO_DIR/schema.sql"
}

# read_lines DATABASE FILE: newline-delimited JSON, plain or gzip, one row a line. The quote and the
# delimiter are characters that JSON cannot contain unescaped, and with the space in front no line ends the
# copy, so that every line arrives as it is.
read_lines() {
    sql "$1" "CREATE TABLE demo.lines (n bigint GENERATED ALWAYS AS IDENTITY, line text NOT NULL)"
    gzip -dcf -- "$2" | LC_ALL=C sed 's/^/ /; s/\r$//' |
        sql "$1" "COPY demo.lines (line) FROM STDIN (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
}

# mappings DATABASE: the mapping functions there are.
mappings() {
    sql "$1" "SELECT proname FROM pg_proc WHERE pronamespace = 'demo'::regnamespace
              AND (proname = 'map' OR proname LIKE 'map\\_%') ORDER BY proname"
}

# map_lines DATABASE FUNCTION: maps the lines that are JSON into batches of 1,000 events.
map_lines() {
    sql "$1" "INSERT INTO demo.batches (source, batch, events, payload)
              SELECT '$2', (n - 1) / 1000, count(*), jsonb_agg(event ORDER BY n)::text
              FROM (SELECT demo.$2(line::jsonb) AS event, row_number() OVER (ORDER BY n) AS n
                    FROM demo.lines WHERE pg_input_is_valid(line, 'jsonb')) AS mapped
              GROUP BY 2"
}

# send DATABASE SOURCE PROJECT LOAD: sends the batches of a source in order, one call and one transaction
# each, and shows how far it is.
send() {
    local batches total
    batches=$(sql "$1" "SELECT count(*) FROM demo.batches WHERE source = '$2'")
    total=$(sql "$1" "SELECT COALESCE(sum(events), 0) FROM demo.batches WHERE source = '$2'")
    local batch
    for ((batch = 0; batch < batches; batch++)); do
        printf "SELECT demo.send('%s', %d, '%s', '%s');\n" "$2" "$batch" "$3" "$4"
    done | psql -At -d "$1" | show_progress "$total"
}

# One line rewritten in place on a terminal, else a line for every 5,000 events.
show_progress() {
    local sent
    while read -r sent; do
        if [ -t 1 ]; then
            printf '\r  %d of %d events sent' "$sent" "$1"
        elif [ $((sent % 5000)) = 0 ] || [ "$sent" = "$1" ]; then
            printf '  %d of %d events sent\n' "$sent" "$1"
        fi
    done
    if [ -t 1 ]; then printf '\n'; fi
}
