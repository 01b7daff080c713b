//! Order, restarts and unclean ends.

use super::*;
use crate::batch::{Applied, GapEvent, Reading, TreeHead};
use crate::store::purge;
use crate::update::FrameFault;

#[test]
fn a_restart_keeps_everything_and_goes_on_after_it() {
    let base = Base::new();
    base.write(vec![message(1, vec![row("a.example"), row("b.example")])]);
    let applied = base.begin().last_applied("left").unwrap();
    assert_eq!(applied, Applied { sequence: 1, position: 10, ..Applied::default() });
    base.write(vec![message(2, vec![row("a.example")]), message(3, vec![])]);
    assert_eq!(base.sightings(), ["a.example 2", "b.example 1"]);
    assert_eq!(base.column::<i64>("SELECT sequence FROM positions"), [3]);
    let spans =
        base.column::<String>("SELECT first_seen || '-' || last_seen FROM domains ORDER BY domain");
    assert_eq!(spans, ["1000-2000", "1000-1000"]);
    assert_eq!(base.column::<String>("SELECT tags FROM rules"), [r#"["a tag"]"#, r#"["a tag"]"#]);
}

#[test]
fn a_match_belongs_to_the_run_that_found_it_first() {
    let base = Base::new();
    base.write(vec![message(1, vec![row("a.example")])]);
    base.write(vec![message(2, vec![row("a.example"), row("b.example")])]);
    let found = base.column::<String>(
        "SELECT domain || ' ' || first_run FROM matches JOIN domains ON id = domain_id ORDER BY 1",
    );
    assert_eq!(found, ["a.example 1", "b.example 2"]);
}

#[test]
fn what_overtakes_waits_for_its_turn() {
    let base = Base::new();
    let order = [3, 1, 2];
    base.write(order.map(|n| message(n, vec![row(&format!("n{n}.example"))])).into());
    let ids = base.column::<String>("SELECT domain FROM domains ORDER BY id");
    assert_eq!(ids, ["n1.example", "n2.example", "n3.example"]);
    assert_eq!((base.stats.commits.get(), base.stats.rows.get()), (1, 3));
    assert_eq!(base.backlog.bytes(), 0);
}

#[test]
fn behind_a_hole_nothing_is_stored() {
    let base = Base::new();
    let mut right = message(1, vec![row("right.example")]);
    right.feed = 1;
    base.write(vec![
        message(1, vec![row("one.example")]),
        message(3, vec![row("three.example")]),
        right,
    ]);
    assert_eq!(base.sightings(), ["one.example 1", "right.example 1"]);
    assert_eq!(base.column::<i64>("SELECT sequence FROM positions ORDER BY feed"), [1, 1]);
    let waiting = base.stats.waiting.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(waiting, 1, "the row behind the hole counts as not committed");
}

#[test]
fn a_feed_that_repeats_a_number_ends_the_run() {
    let base = Base::new();
    let twice = vec![message(1, vec![]), message(1, vec![])];
    let error = base.write_with(base.writer(None), twice).unwrap_err().to_string();
    assert!(error.contains("feed left numbered two batches 1"), "{error}");
}

#[test]
fn what_was_read_of_a_log_adds_up_and_its_newest_tree_head_stays() {
    let base = Base::new();
    let read = |sequence, entries, verified, newest, size: Option<u64>| Matched {
        reading: Reading {
            entries,
            verified,
            newest,
            tree_head: size.map(|size| TreeHead {
                size,
                root: [size as u8; 32],
                timestamp: 1000 + size,
                signed: format!("note {size}").into(),
            }),
            ..Reading::default()
        },
        ..message(sequence, Vec::new())
    };
    base.write(vec![read(1, 10, 4, Some(70), Some(7)), read(2, 5, 5, None, Some(9))]);
    base.write(vec![read(3, 1, 0, Some(80), None)]);
    let totals = base.column::<String>(
        "SELECT entries || ' ' || verified || ' ' || newest || ' ' || position FROM positions",
    );
    assert_eq!(totals, ["16 9 80000 30"]);
    let heads = base.begin().tree_heads().unwrap();
    assert_eq!((heads.len(), heads["left"].size, &*heads["left"].signed), (1, 9, "note 9"));
    assert_eq!(heads["left"].root, [9; 32]);
}

#[test]
fn entries_that_cannot_be_read_are_a_gap_with_their_indexes() {
    let base = Base::new();
    let gap = GapEvent::Entries {
        at: 5,
        first: 77,
        last: 78,
        reason: "no certificate",
        detail: "x".into(),
    };
    base.write(vec![Matched { gap: Some(gap), ..message(1, Vec::new()) }]);
    let gaps = base.column::<String>(
        "SELECT started || ' ' || ended || ' ' || reason || ' ' || first_index || ' ' || last_index
         FROM gaps",
    );
    assert_eq!(gaps, ["5 5 no certificate 77 78"]);
}

#[test]
fn gaps_are_rows_and_dropped_rows_are_one_gap_an_episode() {
    let base = Base::new();
    let opened = GapEvent::Opened { at: 5, reason: "disconnected", detail: "reset".to_owned() };
    let with = |sequence, gap, dropped_rows| Matched {
        gap,
        dropped_rows,
        ..message(sequence, Vec::new())
    };
    base.write(vec![
        with(1, Some(opened), 0),
        with(2, Some(GapEvent::Closed { at: 9 }), 4),
        // Room for the moment, but not enough.
        Matched { overflow: true, ..with(3, None, 0) },
        Matched { overflow: true, ..message(4, vec![row("room.example")]) },
        with(5, None, 3),
        message(6, vec![row("kept.example")]),
        with(7, None, 1),
    ]);
    let gaps = base.column::<String>(
        "SELECT reason || ' ' || started || '-' || iif(ended > 1000000, 'end', ended) || ' '
             || rows_dropped FROM gaps ORDER BY id",
    );
    // The last episode is still open when the run ends, and ends with it.
    assert_eq!(gaps, ["disconnected 5-9 0", "backlog full 2000-6000 7", "backlog full 7000-end 1"]);
}

#[test]
fn an_episode_of_dropped_rows_ends_when_the_writer_has_caught_up() {
    let base = Base::new();
    let in_episode = |sequence, dropped_rows| Matched {
        dropped_rows,
        overflow: true,
        ..message(sequence, Vec::new())
    };
    // Only behind the third message the channel is empty.
    base.write(vec![in_episode(1, 2), in_episode(2, 0), in_episode(3, 0)]);
    let gaps = base.column::<String>("SELECT started || '-' || ended FROM gaps");
    assert_eq!(gaps, ["1000-3000"]);
    assert_eq!(base.backlog.bytes(), 0);
}

#[test]
fn refused_frames_are_stored_by_reason_as_totals_of_the_run() {
    let base = Base::new();
    let refuse = |writer: &Writer, faults: &[FrameFault]| {
        let feed = writer.register.get(0).unwrap();
        faults.iter().for_each(|fault| feed.refuse(*fault));
    };
    let writer = base.writer(None);
    refuse(&writer, &[FrameFault::TooLarge, FrameFault::NotJson, FrameFault::NotJson]);
    base.write_with(writer, vec![message(1, vec![row("a.example")])]).unwrap();
    // Without a message: at the end of the run all the same.
    let writer = base.writer(None);
    refuse(&writer, &[FrameFault::TooLarge]);
    base.write_with(writer, Vec::new()).unwrap();
    let refused = base.column::<String>(
        "SELECT run_id || ' ' || feed || ' ' || reason || ' ' || count FROM refused",
    );
    assert_eq!(refused, ["1 left not JSON 2", "1 left too large 1", "2 left too large 1"]);
}

#[test]
fn the_next_start_closes_the_gaps_of_an_unclean_end() {
    let base = Base::new();
    let gap = GapEvent::Opened { at: 5, reason: "disconnected", detail: String::new() };
    let unclean = vec![Matched { gap: Some(gap), ..message(1, Vec::new()) }];
    drop(base.write_with(base.writer(None), unclean).unwrap());
    assert_eq!(base.column::<Option<i64>>("SELECT ended FROM gaps"), [None]);
    drop(base.begin());
    let closed =
        base.column::<bool>("SELECT gaps.ended = runs.started FROM gaps, runs WHERE runs.id = 2");
    assert_eq!(closed, [true]);
    assert_eq!(base.column::<Option<i64>>("SELECT ended FROM runs"), [None, None]);
}

#[test]
fn purge_sets_the_database_aside_whole() {
    let base = Base::new();
    assert_eq!(purge(&base.file()).unwrap(), None, "no file, nothing to purge");
    base.write(vec![message(1, vec![row("a.example")])]);
    let aside = purge(&base.file()).unwrap().expect("a new name");
    let name = aside.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("certs.db.2") && name.ends_with('Z'), "{name}");
    let files = std::fs::read_dir(base.folder.path()).unwrap().count();
    assert_eq!(files, 1, "neither the old name nor a -wal is left");
    let old = crate::store::open_read_only(&aside).unwrap();
    let rows: i64 = old.query_row("SELECT count(*) FROM domains", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}

#[test]
fn purge_waits_for_a_clean_end() {
    let base = Base::new();
    drop(base.write_with(base.writer(None), vec![message(1, vec![row("a.example")])]).unwrap());
    assert_eq!(purge(&base.file()).unwrap(), None, "the last run did not end");
    base.write(vec![]);
    assert!(purge(&base.file()).unwrap().is_some());
}

#[test]
fn purge_refuses_while_another_program_reads() {
    let base = Base::new();
    base.write(vec![message(1, vec![row("a.example")])]);
    let reader = base.reader();
    reader.execute_batch("BEGIN; SELECT count(*) FROM domains").unwrap();
    let refused = purge(&base.file()).unwrap_err().to_string();
    assert!(refused.contains("end the programs that read it"), "{refused}");
    assert_eq!(base.sightings(), ["a.example 1"]);
}
