//! Certificates that must not be accepted, each with its message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use certstream::error::ExitCode;
use certstream::feed::certstream::Settings;

use crate::testenv::{Server, Tls, Watching, wait_until};

/// The feed ends at once with a message that contains all `parts`.
#[track_caller]
fn ends(tls: Tls, parts: &[&str]) {
    let upgraded = Arc::new(AtomicBool::new(false));
    let server = Server::start(tls, {
        let upgraded = Arc::clone(&upgraded);
        move |visit| {
            let _peer = visit.upgrade()?;
            upgraded.store(true, Ordering::Relaxed);
            Ok(())
        }
    });
    let (outcome, _) = Watching::start(Watching::settings(&server, "/")).end();
    let error = outcome.unwrap_err();
    for part in parts {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert_eq!(error.exit(), ExitCode::Usage);
    assert!(!upgraded.load(Ordering::Relaxed));
}

#[test]
fn a_certificate_for_another_host_ends_the_feed() {
    ends(Tls::WrongHost, &["certificate is for another host", "remedy: write the host name"]);
}

#[test]
fn a_certificate_from_an_unknown_authority_ends_the_feed() {
    ends(Tls::Stranger, &["authority this machine does not know", "in `ca_file`"]);
}

#[test]
fn without_the_ca_file_the_authority_is_unknown() {
    let server = Server::start(Tls::Good, |visit| visit.upgrade()?.keep_open());
    let settings = Settings::new(&server.url("/"), None, None).unwrap();
    let error = Watching::start(settings).end().0.unwrap_err();
    assert!(error.to_string().contains("authority this machine does not know"), "{error}");
}

#[test]
fn an_expired_certificate_is_tried_again() {
    let server = Server::start(Tls::Expired, |visit| visit.upgrade()?.keep_open());
    let watching = Watching::start(Watching::settings(&server, "/"));
    let detail = watching.first_gap();
    assert!(detail.contains("certificate has expired"), "{detail}");
    assert!(detail.contains("must renew it"), "{detail}");
    wait_until("the feed has tried again", || server.connections() >= 2);
}

#[test]
fn a_server_without_tls_is_told_from_a_broken_one() {
    let plain = Server::start(Tls::Off, |visit| visit.refuse("400 Bad Request", &[]));
    let url = plain.url("/").replace("ws://", "wss://");
    let settings = Settings::new(&url, None, None).unwrap();
    let watching = Watching::start(Watching::hasty(settings));
    // The server reads the TLS greeting as a request that never ends, and so says nothing;
    // dropping it ends the connection within the handshake.
    wait_until("the client has come", || plain.connections() == 1);
    drop(plain);
    let detail = watching.first_gap();
    assert!(
        detail.contains("TLS failed") && detail.contains("that the port speaks TLS"),
        "{detail}"
    );
}
