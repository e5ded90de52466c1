//! Rows written in bulk are the rows that INSERT would have written, in the table and in each of its indexes.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::graph::properties;
    use crate::{bulk, sql};

    const ROWS: i64 = 2_500;

    fn count(query: &str) -> i64 {
        Spi::get_one::<i64>(query).expect("the query runs").expect("it answers a number")
    }

    fn oid(table: &str) -> pg_sys::Oid {
        let query = format!("SELECT '{table}'::regclass::oid");
        Spi::get_one::<pg_sys::Oid>(&query).expect("the query runs").expect("the table is there")
    }

    /// Numbers not in order; some texts NULL, some so long that they are kept out of line.
    fn write(table: &str) {
        let rows = (0..ROWS).map(|n| {
            let label = match n % 5 {
                0 => None,
                1 => Some(format!("{n} ").repeat(3_000)),
                _ => Some(format!("label {n}")),
            };
            [(n * 7 % ROWS).into_datum(), label.into_datum(), (n as i32 % 10).into_datum()]
        });
        bulk::insert(oid(table), [c"id", c"label", c"tenth"], rows).expect("the rows go in");
    }

    fn insert(table: &str) {
        Spi::run(&format!(
            "INSERT INTO {table} (id, label, tenth)
             SELECT n * 7 % {ROWS},
                    CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN repeat(n || ' ', 3000) ELSE 'label ' || n END, n % 10
             FROM generate_series(0, {ROWS} - 1) AS n"
        ))
        .expect("the rows go in");
    }

    fn make(table: &str) {
        Spi::run(&format!(
            "CREATE TABLE {table} (gone text, id bigint NOT NULL, label text, tenth int CHECK (tenth >= 0));
             ALTER TABLE {table} DROP COLUMN gone;
             CREATE UNIQUE INDEX ON {table} (id);
             CREATE INDEX ON {table} (md5(label));
             CREATE INDEX ON {table} (tenth, id) WHERE tenth > 4;
             CREATE INDEX ON {table} USING hash (md5(label));
             CREATE INDEX ON {table} USING gin (string_to_array(left(label, 20), ' '));
             CREATE INDEX ON {table} USING brin (id)"
        ))
        .expect("the table is made");
    }

    #[pg_test]
    fn tables_and_indexes_are_as_insert_makes_them() {
        Spi::run("CREATE EXTENSION amcheck").expect("amcheck is there");
        for table in ["in_bulk", "inserted"] {
            make(table);
        }
        write("in_bulk");
        write_nothing("in_bulk");
        insert("inserted");
        let common = "SELECT count(*) FROM (SELECT id, label, tenth FROM in_bulk
                                          INTERSECT SELECT id, label, tenth FROM inserted) AS common";
        assert_eq!(count(common), ROWS);
        assert_eq!(count("SELECT count(*) FROM in_bulk"), ROWS);
        let trees = "SELECT count(bt_index_check(i.indexrelid, true)::text)
                     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
                     WHERE i.indrelid = 'in_bulk'::regclass AND a.amname = 'btree'";
        assert_eq!(count(trees), 3);
        Spi::run("SET enable_seqscan = off").expect("it is set");
        for (what, expected) in [
            ("md5(label) = md5('label 1777')", 1),
            ("string_to_array(left(label, 20), ' ') @> '{1777}'", 1),
            ("tenth > 4 AND tenth = 7", ROWS / 10),
            ("id BETWEEN 100 AND 199", 100),
        ] {
            assert_eq!(count(&format!("SELECT count(*) FROM in_bulk WHERE {what}")), expected, "{what}");
        }
    }

    fn write_nothing(table: &str) {
        bulk::insert(oid(table), [c"id", c"label", c"tenth"], std::iter::empty()).expect("nothing goes in");
    }

    #[pg_test]
    fn triggers_fire_for_each_row_and_for_all() {
        make("watched");
        Spi::run(
            "CREATE TABLE noted (what text, rows bigint);
             CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF new.tenth = 3 THEN RETURN NULL; END IF;
                 new.tenth := new.tenth + 100;
                 RETURN new;
             END $$;
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO noted SELECT TG_WHEN || ' ' || TG_LEVEL, count(*) FROM watched;
                 RETURN NULL;
             END $$;
             CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO noted SELECT 'together', count(*) FROM added WHERE tenth > 99;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER change BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION change();
             CREATE TRIGGER note AFTER INSERT ON watched FOR EACH ROW WHEN (new.id < 2) EXECUTE FUNCTION note();
             CREATE TRIGGER sum_up AFTER INSERT ON watched REFERENCING NEW TABLE AS added
                 FOR EACH STATEMENT EXECUTE FUNCTION sum_up();
             CREATE TRIGGER first BEFORE INSERT ON watched FOR EACH STATEMENT EXECUTE FUNCTION note()",
        )
        .expect("the triggers are made");
        write("watched");
        let kept = ROWS - ROWS / 10;
        assert_eq!(count("SELECT count(*) FROM watched WHERE tenth BETWEEN 100 AND 109"), kept);
        assert_eq!(count("SELECT count(*) FROM noted WHERE what = 'BEFORE STATEMENT' AND rows = 0"), 1);
        assert_eq!(
            count(&format!("SELECT count(*) FROM noted WHERE what = 'together' AND rows = {kept}")),
            1
        );
        let each = "SELECT count(*) FROM noted WHERE what = 'AFTER ROW'";
        assert_eq!(count(each), count("SELECT count(*) FROM watched WHERE id < 2"));
    }

    #[pg_test(error = "duplicate key value violates unique constraint \"in_bulk_id_idx\"")]
    fn what_is_unique_stays_so() {
        make("in_bulk");
        write("in_bulk");
        write("in_bulk");
    }

    #[pg_test(error = "new row for relation \"in_bulk\" violates check constraint \"in_bulk_tenth_check\"")]
    fn checks_are_looked_at() {
        make("in_bulk");
        let row = [1i64.into_datum(), None, (-1i32).into_datum()];
        bulk::insert(oid("in_bulk"), [c"id", c"label", c"tenth"], std::iter::once(row)).expect("it raises");
    }

    #[pg_test(error = "null value in column \"id\" of relation \"in_bulk\" violates not-null constraint")]
    fn what_must_not_be_null_is_not() {
        make("in_bulk");
        let row = [None, None, 1i32.into_datum()];
        bulk::insert(oid("in_bulk"), [c"id", c"label", c"tenth"], std::iter::once(row)).expect("it raises");
    }

    #[pg_test]
    fn a_table_with_other_columns_is_refused() {
        make("in_bulk");
        let row = [1i64.into_datum(), None];
        assert!(bulk::insert(oid("in_bulk"), [c"id", c"label"], std::iter::once(row)).is_err());
    }

    /// AGE's own function, on texts that differ in length and in what they are made of.
    #[pg_test]
    fn agtype_maps_are_laid_out_as_by_age() {
        let texts = ["", "x", "e-1", "\u{1F600} \\\"quoted\\\" \n", &"long ".repeat(500), "0001-01-01", "ß"];
        for id in texts {
            for kind in texts {
                let mut ours = Vec::new();
                properties::write_map(&[("id", id), ("ts", "2026"), ("type", kind)], &mut ours);
                let same = sql::reading(|sql| {
                    let query = "SELECT ag_catalog.agtype_build_map('type', $1, 'ts', '2026', 'id', $2)";
                    let row = sql.run(query, &[kind.into(), id.into()])?.next();
                    Ok::<_, crate::error::Error>(row.is_some_and(|row| row.bytes(1) == Some(&ours[..])))
                });
                assert!(same.expect("it reads"), "{id} {kind}");
            }
        }
    }
}
