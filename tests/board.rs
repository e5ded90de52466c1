use journey_stitch::worker::board::{Board, SLOTS};

const LAUNCHER: usize = 1;
const WORKER: usize = 2;
const PID: i32 = 77;

fn board() -> Board {
    Board { launcher: LAUNCHER, ..Board::default() }
}

#[test]
fn work_wakes_the_launcher_until_a_worker_is_there() {
    let mut board = board();
    assert_eq!(board.want(5), LAUNCHER);
    assert!(board.enter(5, WORKER, PID));
    assert_eq!(board.want(5), WORKER);
    assert_eq!(board.want(6), LAUNCHER, "another database has no worker yet");
}

#[test]
fn a_worker_that_is_wanted_again_cannot_leave() {
    let mut board = board();
    assert!(board.enter(5, WORKER, PID));
    board.take_wanted(5);
    board.want(5);
    assert!(!board.leave(5, None, false));
    board.take_wanted(5);
    assert!(board.leave(5, Some(7), false));
    let slot = *board.slot(5).expect("the slot stays until the launcher frees it");
    assert!(slot.left && slot.latch == 0 && slot.retry_at == Some(7));
    assert_eq!(board.want(5), LAUNCHER, "work after leaving is the launcher's again");
    assert!(board.slot(5).is_some_and(|slot| slot.wanted));
}

#[test]
fn only_one_worker_a_database() {
    let mut board = board();
    assert!(board.enter(5, WORKER, PID));
    assert!(!board.enter(5, 3, PID));
    board.abandon(5, 3);
    assert!(!board.enter(5, 3, PID), "only the worker that is in can be out");
    board.abandon(5, WORKER);
    assert!(board.enter(5, 3, PID));
}

#[test]
fn a_worker_that_dies_has_not_left() {
    let mut board = board();
    board.want(5);
    assert!(board.enter(5, WORKER, PID));
    assert_eq!(board.abandon(5, WORKER), LAUNCHER, "whatever launcher there is now is to know");
    assert!(board.slot(5).is_some_and(|slot| !slot.left && slot.latch == 0 && slot.wanted));
    assert_eq!(board.abandon(5, WORKER), 0, "once");
}

#[test]
fn too_many_databases_make_the_launcher_look_everywhere() {
    let mut board = board();
    for database in 1..=SLOTS as u32 {
        board.want(database);
    }
    assert!(!board.look_everywhere);
    assert_eq!(board.want(1000), LAUNCHER);
    assert!(board.look_everywhere);
    board.free(7);
    board.want(1000);
    assert!(board.slot(1000).is_some());
    assert!(board.slot(0).is_none(), "no database has the number 0");
}
