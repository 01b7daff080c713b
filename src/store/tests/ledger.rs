//! The loss ledger as it is stored: sums that add up over transactions and runs, and gaps that are
//! closed by what has been read since.

use std::sync::Arc;

use super::*;
use crate::batch::{BatchSender, Counted, Coverage, GapEvent, Hole, LogKeys, Origin, SourceLog};
use crate::store::Holes;

const MINUTE: i64 = 60_000_000;

fn log(key: &str) -> Arc<SourceLog> {
    Arc::new(SourceLog { key: key.into(), name: format!("The log {key}").into() })
}

/// What a feed sends that receives these indexes of a log: as it comes out of the feed's end.
fn covered(log: &Arc<SourceLog>, indexes: &[u64]) -> Coverage {
    let (batches, received) = unbounded();
    let (_, empties) = unbounded();
    let mut out = BatchSender::new(Origin::default(), batches, empties, None);
    for &index in indexes {
        let number = u16::from(!log.key.is_empty());
        let counted = Counted { log, number, index, and: None };
        out.push_counted(1, b"{}", std::iter::empty(), &counted).unwrap();
    }
    out.flush().unwrap();
    Coverage::of(&received.recv().unwrap().coverage)
}

fn with_coverage(sequence: u64, coverage: Coverage) -> Matched {
    Matched { coverage, ..message(sequence, Vec::new()) }
}

#[test]
fn coverage_adds_up_over_runs_and_what_comes_next_is_told() {
    let base = Base::new();
    let (a, none) = (log("a.example"), Arc::default());
    base.write(vec![
        with_coverage(1, covered(&a, &[7, 9])),
        with_coverage(2, covered(&none, &[0, 0, 0])),
    ]);
    base.write(vec![with_coverage(3, covered(&a, &[8, 12]))]);
    let sums = base.column::<String>(
        "SELECT feed || ' ' || log || ' ' || name || ' ' || ifnull(min(lowest), 'none') || ' '
             || ifnull(max(highest), 'none') || ' ' || sum(count)
         FROM coverage JOIN feed_logs ON id = feed_log GROUP BY log ORDER BY log DESC",
    );
    assert_eq!(sums, ["left a.example The log a.example 7 12 4", "left   none none 3"]);
    let rows = "SELECT count(*) FROM coverage WHERE minute % 60000000 = 0";
    assert!((2..=4).contains(&base.column::<i64>(rows)[0]));
}

#[test]
fn a_run_goes_on_behind_the_highest_index_unless_the_last_minute_has_holes() {
    for (indexes, hole, next) in [
        (&[5, 6, 7][..], None, 8),
        (&[5, 7][..], None, 6),
        // What is missing is known as such.
        (&[5, 9][..], Some((6, 8)), 10),
        (&[5, 9][..], Some((6, 7)), 6),
    ] {
        let base = Base::new();
        let a = log("a.example");
        let mut messages = vec![with_coverage(1, covered(&a, indexes))];
        messages.extend(hole.map(|(first, last)| missed(2, &[(&a, first, last)])));
        base.write(messages);
        let heads = base.begin().coverage_heads().unwrap();
        let head = &heads["left"][0];
        assert_eq!((&head.log, head.next), (&*a, next), "{indexes:?} {hole:?}");
        assert_eq!(head.minute % MINUTE, 0);
    }
}

fn missed(sequence: u64, holes: &[(&Arc<SourceLog>, u64, u64)]) -> Matched {
    let holes = holes.iter().map(|(log, first, last)| Hole {
        log: Arc::clone(log),
        first: *first,
        last: *last,
        from: 1000 + i64::try_from(sequence).unwrap(),
        to: 5,
        reason: "disconnected",
    });
    Matched { gap: Some(GapEvent::Missed(holes.collect())), ..message(sequence, Vec::new()) }
}

fn event(sequence: u64, gap: GapEvent) -> Matched {
    Matched { gap: Some(gap), ..message(sequence, Vec::new()) }
}

fn filled(first: u64, end: u64) -> GapEvent {
    let urls = ["a.example".to_owned(), "mon.a.example".to_owned()];
    let log = Arc::new(LogKeys { urls, name: "The log A".to_owned() });
    GapEvent::Filled { at: 77, log, first, end }
}

#[test]
fn what_has_been_read_closes_the_gaps_within_and_no_other() {
    let base = Base::new();
    let (a, monitored, b) = (log("a.example"), log("mon.a.example"), log("b.example"));
    base.write(vec![
        missed(1, &[(&a, 10, 19), (&a, 15, 25), (&monitored, 12, 12), (&b, 10, 19)]),
        event(2, filled(10, 20)),
    ]);
    let gaps = base.column::<String>(
        "SELECT log || ' ' || first_index || ifnull(' closed ' || closed || ' by ' || filled_by, '')
         FROM gaps ORDER BY id",
    );
    assert_eq!(
        gaps,
        [
            "a.example 10 closed 77 by left",
            "a.example 15",
            "mon.a.example 12 closed 77 by left",
            "b.example 10"
        ]
    );
    let order = base.column::<i64>("SELECT started <= ended FROM gaps");
    assert_eq!(order, [1; 4], "a clock that was set back turns no gap around");
}

#[test]
fn an_entry_that_cannot_be_read_again_stays_a_gap() {
    let base = Base::new();
    let unreadable = |first, last| GapEvent::Entries {
        at: 5,
        first,
        last,
        reason: "no certificate",
        detail: String::new(),
    };
    let store = base.begin();
    let feeds = register(&["log a.example", "backfill a.example 0-100"]);
    let of = |feed, sequence, gap| Matched { feed, ..event(sequence, gap) };
    let (stats, backlog) = (Arc::clone(&base.stats), Arc::clone(&base.backlog));
    let writer = Writer::new(store, feeds, stats, backlog, None);
    let messages = vec![
        of(0, 1, unreadable(7, 7)),
        of(0, 2, unreadable(20, 30)),
        of(1, 1, unreadable(25, 25)),
        of(1, 2, filled(0, 100)),
    ];
    base.write_with(writer, messages).unwrap().end_run("done").unwrap();
    let open = "SELECT feed || ' ' || first_index FROM gaps WHERE closed IS NULL ORDER BY id";
    assert_eq!(base.column::<String>(open), ["log a.example 20", "backfill a.example 0-100 25"]);
}

#[test]
fn the_newest_holes_are_told_first_and_a_feed_is_at_one_at_a_time() {
    let base = Base::new();
    let a = log("a.example");
    base.write(vec![
        missed(1, &[(&a, 10, 19)]),
        missed(2, &[(&a, 30, 129)]),
        missed(3, &[(&a, 200, 300)]),
        event(4, GapEvent::Filling { gap: 1 }),
        event(5, GapEvent::Filling { gap: 2 }),
    ]);
    let holes = Holes::open(&base.file()).unwrap();
    let told = |most| -> Vec<(u64, u64, Option<String>)> {
        let holes = holes.open_ones(most).unwrap().into_iter();
        holes.map(|h| (h.first, h.last, h.filled_by.map(String::from))).collect()
    };
    assert_eq!(told(100), [(30, 129, Some("left".to_owned())), (10, 19, None)]);
    assert_eq!(told(101).len(), 3);
}
