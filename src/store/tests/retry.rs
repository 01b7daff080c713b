//! Transactions that fail: tried again, or ended, and never counted twice.

use rusqlite::ffi;

use super::*;

#[test]
fn a_commit_that_fails_but_persists_counts_once() {
    let base = Base::new();
    let (sender, records) = unbounded();
    let announce = Announce { sender, wait: true, every_sighting: false, dropped: Arc::default() };
    let mut writer = base.writer(Some(announce));
    writer.faults.after_commit.push_back(sqlite_error(ffi::SQLITE_IOERR));
    let rows = vec![row("a.example"), row("b.example"), row("a.example")];
    base.write_with(writer, vec![message(1, rows)]).unwrap();
    assert_eq!(base.sightings(), ["a.example 2", "b.example 1"]);
    assert_eq!((base.stats.retries.get(), base.stats.commits.get()), (1, 1));
    assert_eq!((base.stats.new_domains.get(), base.stats.new_pairs.get()), (2, 2));
    assert_eq!(base.backlog.bytes(), 0);
    let announced: Vec<String> = records.try_iter().map(|record| record.domain).collect();
    assert_eq!(announced, ["a.example", "b.example"]);
}

#[test]
fn a_commit_that_fails_and_does_not_persist_is_tried_again() {
    let base = Base::new();
    let mut writer = base.writer(None);
    writer.faults.before_commit.push_back(sqlite_error(ffi::SQLITE_FULL));
    writer.faults.before_commit.push_back(sqlite_error(ffi::SQLITE_BUSY));
    writer.faults.after_commit.push_back(sqlite_error(ffi::SQLITE_IOERR));
    let messages = vec![message(1, vec![row("a.example")]), message(2, vec![row("a.example")])];
    base.write_with(writer, messages).unwrap();
    assert_eq!(base.sightings(), ["a.example 2"]);
    assert_eq!((base.stats.retries.get(), base.stats.commits.get()), (3, 1));
}

#[test]
fn a_fault_that_cannot_pass_ends_the_run_and_keeps_what_was_committed() {
    let base = Base::new();
    base.write(vec![message(1, vec![row("a.example")])]);
    let mut writer = base.writer(None);
    writer.faults.before_commit.push_back(sqlite_error(ffi::SQLITE_CORRUPT));
    let error = base.write_with(writer, vec![message(2, vec![row("b.example")])]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("certs.db: cannot commit") && text.contains("remedy"), "{text}");
    assert_eq!(base.sightings(), ["a.example 1"]);
}

#[test]
fn a_disk_that_goes_on_failing_ends_the_run_and_says_what_is_not_stored() {
    let base = Base::new();
    base.write(vec![message(1, vec![row("a.example")])]);
    let mut writer = base.writer(None);
    writer.disk_patience = std::time::Duration::from_millis(30);
    let failing = std::iter::repeat_with(|| sqlite_error(ffi::SQLITE_IOERR));
    writer.faults.before_commit.extend(failing.take(100));
    let rows = vec![row("b.example"), row("c.example")];
    let error = base.write_with(writer, vec![message(2, rows)]).unwrap_err().to_string();
    for part in
        ["certs.db: cannot commit: ", "disk I/O error; 2 matched rows, ", "see the system's log"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(base.stats.retries.get() > 1, "it was tried again first");
    assert_eq!(base.sightings(), ["a.example 1"]);
}

#[test]
fn another_process_that_holds_the_write_lock_costs_nothing() {
    let base = Base::new();
    let writer = base.writer(None);
    let holder = Connection::open(base.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (sender, receiver) = unbounded();
    let messages = vec![message(1, vec![row("a.example")]), message(2, vec![row("a.example")])];
    for message in messages {
        base.backlog.add(message.bytes);
        sender.send(message).unwrap();
    }
    drop(sender);
    let thread = std::thread::spawn(move || writer.run(&receiver));
    while base.stats.retries.get() == 0 {
        std::thread::yield_now();
    }
    assert!(base.backlog.bytes() > 0, "rows stay in memory");
    holder.execute_batch("ROLLBACK").unwrap();
    drop(thread.join().unwrap().unwrap());
    assert_eq!(base.sightings(), ["a.example 2"]);
    assert_eq!(base.backlog.bytes(), 0);
}

#[test]
fn a_slow_printer_costs_lines_that_are_counted() {
    let base = Base::new();
    let (sender, records) = crossbeam_channel::bounded(1);
    let dropped = Arc::new(crate::stats::Counter::default());
    let announce =
        Announce { sender, wait: false, every_sighting: false, dropped: Arc::clone(&dropped) };
    let rows = vec![row("a.example"), row("b.example"), row("c.example")];
    base.write_with(base.writer(Some(announce)), vec![message(1, rows)]).unwrap();
    assert_eq!((records.try_iter().count(), dropped.get()), (1, 2));
}
