//! Several servers: read one at a time in the order of their list, or all at once.

use std::time::{Duration, Instant};

use certstream::batch::GapEvent;
use certstream::feed::certstream::Settings;

use crate::testenv::{Folder, Server, Tls, Watching, certificate, wait_until};

/// The settings of a feed from `server`, with pauses up to `pause`.
fn settings(server: &Server, pause: Duration) -> Settings {
    let mut settings = Watching::settings(server, "/");
    (settings.timings.pause, settings.timings.longest_pause) = (pause, pause);
    settings
}

/// Long enough that a server that was just lost is not the one that is tried next.
const PAUSE: Duration = Duration::from_millis(500);

#[test]
fn only_the_first_is_read_while_it_is_to_be_had() {
    let first = Server::start(Tls::Off, |visit| visit.upgrade()?.serve());
    let second = Server::start(Tls::Off, |visit| visit.upgrade()?.serve());
    let watching = Watching::start_failover([&first, &second].map(|s| settings(s, PAUSE)).into());
    watching.wait_for_frames(1);
    assert_eq!((first.connections(), second.connections()), (1, 0));
    assert_eq!(watching.stats.name, "certstream failover");
    assert_eq!(watching.gaps(), []);
}

#[test]
fn the_next_takes_over_at_once_and_the_first_is_tried_first_when_that_is_lost() {
    let first = Server::start(Tls::Off, |visit| {
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        peer.send([certificate(&format!("first{number}.example"))])?;
        if number == 0 { Ok(()) } else { peer.keep_open() }
    });
    let second = Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        // By its end the first may be tried again; and must not have been before.
        let end = Instant::now() + PAUSE;
        while Instant::now() < end {
            peer.send([certificate("second.example")])?;
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    });
    let watching = Watching::start_failover([&first, &second].map(|s| settings(s, PAUSE)).into());
    wait_until("both gaps have ended", || watching.gaps().len() == 4);
    assert_eq!((first.connections(), second.connections()), (2, 1));
    let frames = watching.frames();
    let names = ["first0", "second", "first1"].map(|name| format!("{name}.example"));
    let ends = [&frames[0], &frames[1], frames.last().unwrap()];
    assert_eq!(ends.map(Clone::clone), names.map(|name| certificate(&name).into_data().to_vec()));
    let gaps = watching.gaps();
    let [
        GapEvent::Opened { at: lost, detail, reason: "disconnected" },
        GapEvent::Closed { at: found },
        GapEvent::Opened { detail: again, .. },
        GapEvent::Closed { .. },
    ] = &gaps[..]
    else {
        panic!("{gaps:?}");
    };
    assert!(detail.starts_with(&first.url("/")) && again.starts_with(&second.url("/")), "{gaps:?}");
    assert!(lost <= found && found - lost < 60_000_000, "{gaps:?}");
    assert_eq!(watching.stats.reconnects.get(), 2);
}

#[test]
fn one_that_stalls_is_replaced() {
    let first = Server::start(Tls::Off, |visit| visit.upgrade()?.serve());
    let second = Server::start(Tls::Off, |visit| visit.upgrade()?.serve());
    let mut servers = [&first, &second].map(|server| settings(server, PAUSE));
    servers[0].timings.silent = Duration::from_millis(100);
    let watching = Watching::start_failover(servers.into());
    wait_until("the gap has ended", || watching.gaps().len() == 2);
    let gaps = watching.gaps();
    let GapEvent::Opened { reason: "stall", detail, .. } = &gaps[0] else { panic!("{gaps:?}") };
    assert!(detail.contains("connected, but no certificate"), "{detail}");
    assert_eq!((first.connections(), second.connections()), (1, 1));
}

#[test]
fn one_that_refuses_us_is_left_for_good_and_the_feed_ends_with_the_last() {
    let refusing = |status| Server::start(Tls::Off, move |visit| visit.refuse(status, &[]));
    let first = refusing("401 Unauthorized");
    let second = Server::start(Tls::Off, |visit| {
        let first = visit.number == 0;
        let mut peer = visit.upgrade()?;
        peer.send([certificate("second.example")])?;
        if first { Ok(()) } else { peer.keep_open() }
    });
    let servers = [&first, &second].map(|server| settings(server, Duration::from_millis(20)));
    let watching = Watching::start_failover(servers.into());
    watching.wait_for_frames(2);
    assert_eq!((first.connections(), second.connections()), (1, 2));
    let (_, outcome) = watching.stop();
    outcome.unwrap();

    let third = refusing("403 Forbidden");
    let servers = [&first, &third].map(|server| settings(server, PAUSE));
    let (outcome, gaps) = Watching::start_failover(servers.into()).end();
    let shown = outcome.unwrap_err().to_string();
    assert!(shown.contains(&third.url("/")) && shown.contains("403"), "{shown}");
    assert!(matches!(gaps[..], [GapEvent::Opened { .. }]), "{gaps:?}");
}

#[test]
fn a_config_of_two_makes_one_feed_or_two_and_one_row_a_domain_either_way() {
    for (mode, feeds, sightings) in [("failover", 1, 1), ("union", 2, 2)] {
        let servers = [(); 2].map(|()| Server::start(Tls::Off, |visit| visit.upgrade()?.serve()));
        let folder = Folder::new();
        folder.write("the.token", "sesame\n");
        let urls = [servers[0].url("/"), servers[1].url("/")];
        let server = |url: &str| format!("    - {{url: '{url}', token_file: the.token}}\n");
        folder.write(
            "config.yaml",
            format!(
                "certstream:\n  mode: {mode}\n  server:\n{}{}rules: [example]\n",
                server(&urls[0]),
                server(&urls[1])
            ),
        );
        let mut program = folder.start(&["watch", "--database", "d.db"]);
        wait_until("it is stored", || {
            folder.number("d.db", "SELECT sightings FROM domains") == Some(sightings)
        });
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(folder.texts("d.db", "SELECT domain FROM domains"), ["example.com"]);
        let stored = folder.texts("d.db", "SELECT feed FROM positions ORDER BY feed");
        assert_eq!(stored.len(), feeds, "{stored:?}");
        if mode == "failover" {
            assert_eq!(stored, ["certstream failover"]);
        }
        assert_eq!(servers[0].requests()[0].headers()["authorization"], "Bearer sesame");
        assert!(!folder.stderr().contains("sesame"), "{}", folder.stderr());
    }
}
