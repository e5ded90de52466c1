//! Tests that run inside a server, each in a transaction that is rolled back: what only a backend can
//! show of single modules. The SQL surface as users see it is in `tests/regress`.

mod bulk;

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;
    use pgrx::spi::SpiResult;

    use crate::error::Error;
    use crate::{queue, sql, subtransaction};

    fn count(query: &str) -> i64 {
        Spi::get_one::<i64>(query).expect("the query runs").expect("it answers a number")
    }

    #[pg_test]
    fn events_become_one_journey() -> SpiResult<()> {
        Spi::run(
            r#"SELECT journey_stitch.ingest_events('[
                {"event_id": "a", "event_type": "view", "ts": 1700000000, "anonymous_id": "cookie"},
                {"event_id": "b", "event_type": "login", "ts": 1700000001, "anonymous_id": "cookie", "user_id": "ann"},
                {"event_id": "c", "event_type": "pay", "ts": 1700000002, "user_id": "ann"}]')"#,
        )?;
        assert_eq!(count("SELECT remaining FROM journey_stitch.stitch_pending()"), 0);
        assert_eq!(count("SELECT count(*) FROM journey_stitch.get_journey('a')"), 3);
        assert_eq!(count("SELECT sum(violations)::bigint FROM journey_stitch.verify()"), 0);
        Ok(())
    }

    #[pg_test]
    fn digits_beyond_64_bits_stay_distinct() -> SpiResult<()> {
        Spi::run(
            r#"SELECT journey_stitch.ingest_events('[
                {"event_id": 12345678901234567890123, "event_type": "t", "ts": 1, "n": 0.10000000000000000000001},
                {"event_id": 12345678901234567890124, "event_type": "t", "ts": 1}]')"#,
        )?;
        assert_eq!(count("SELECT count(DISTINCT event_id) FROM journey_stitch.events"), 2);
        let kept =
            "SELECT count(*) FROM journey_stitch.events WHERE properties->>'n' = '0.10000000000000000000001'";
        assert_eq!(count(kept), 1);
        Ok(())
    }

    #[pg_test]
    fn a_failing_subtransaction_undoes_its_own_work_only() -> SpiResult<()> {
        Spi::run("CREATE TEMP TABLE kept (n int)")?;
        let run = |statement: &'static str| move || sql::writing(|sql| sql.run(statement, &[]).map(drop));
        assert!(subtransaction::run(run("INSERT INTO kept VALUES (1)")).is_ok());
        let failure = subtransaction::run(|| {
            run("INSERT INTO kept VALUES (2)")()?;
            run("SELECT 1 / 0")()
        })
        .expect_err("a division by zero fails");
        assert_eq!((failure.sqlstate.as_str(), failure.is_transient()), ("22012", false));
        let returned: Result<(), _> = subtransaction::run(|| Err(Error::UnknownProject("p".to_owned())));
        assert_eq!(returned.expect_err("it was returned").sqlstate, "22023");
        assert_eq!(count("SELECT count(*) FROM kept"), 1);
        Ok(())
    }

    #[pg_test]
    fn reading_and_writing_see_different_snapshots() {
        Spi::run("CREATE TEMP TABLE seen (n int)").expect("the table is made");
        let rows = |sql: &sql::Sql| sql.run("SELECT count(*) FROM seen", &[])?.one::<i64>();
        // SAFETY: the snapshot is popped by the same code that pushes it.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        sql::writing(|sql| sql.run("INSERT INTO seen VALUES (1)", &[]).map(drop)).expect("the row goes in");
        assert_eq!(
            sql::reading(rows).expect("it reads"),
            Some(0),
            "the caller's snapshot is older than the row"
        );
        assert_eq!(sql::writing(rows).expect("it reads"), Some(1));
        // SAFETY: see above.
        unsafe { pg_sys::PopActiveSnapshot() };
    }

    #[pg_test]
    fn a_claim_takes_no_more_than_it_may() -> SpiResult<()> {
        Spi::run(
            "SELECT journey_stitch.ingest_events(jsonb_agg(jsonb_build_object('event_type', 't', 'ts', n)))
             FROM generate_series(1, 25) AS n",
        )?;
        let claim = |most| sql::writing(|sql| queue::claim(sql, 1, most)).expect("it claims");
        assert_eq!(claim(10).map(|claim| claim.events), Some(10));
        assert_eq!(count("SELECT count(*) FROM journey_stitch.pending"), 2, "the row was split");
        assert_eq!(claim(100).map(|claim| claim.events), Some(25), "nothing of it was lost");
        let damaged = "SELECT violations FROM journey_stitch.verify() WHERE invariant = 'queue_counts'";
        assert_eq!(count(damaged), 0);
        Ok(())
    }

    #[pg_test]
    fn pending_events_count_as_if_they_were_stitched() -> SpiResult<()> {
        let ingest = |events: &str| Spi::run(&format!("SELECT journey_stitch.ingest_events('{events}')"));
        ingest(
            r#"[{"event_type": "t", "ts": "2024-03-01", "device_id": "phone"},
                   {"event_type": "t", "ts": "2024-03-01", "device_id": "tablet"}]"#,
        )?;
        Spi::run("SELECT journey_stitch.stitch_pending()")?;
        let journeys =
            "SELECT active_users FROM journey_stitch.dau('2024-03-01', '2024-03-01', identity => 'journey')";
        assert_eq!(count(journeys), 2);
        // Ties the two together: one journey, for the day before too.
        ingest(
            r#"[{"event_type": "t", "ts": "2024-03-02", "device_id": "phone", "correlations": {"device_id": "tablet"}}]"#,
        )?;
        assert_eq!(count(journeys), 1);
        Spi::run("SELECT journey_stitch.stitch_pending()")?;
        assert_eq!(count(journeys), 1);
        Ok(())
    }

    #[pg_test(error = "invalid windows: it is 0")]
    fn wrong_arguments_name_themselves() {
        Spi::run("SELECT * FROM journey_stitch.retention(current_date, 0)").expect("it raises");
    }
}
