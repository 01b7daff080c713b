//! What the benches of the whole program share: frames, a server on loopback that sends them, the
//! clients that read them, what those cost, and the table of it.
//!
//! Every party is a process of its own, so that processor time and memory are told apart: the bench
//! starts itself again as server ([`blaster`]) and as the client that drops what it reads
//! ([`drain`]).

pub mod blaster;
pub mod client;
pub mod cost;
pub mod drain;
pub mod frames;
pub mod inputs;
pub mod synthetic;
pub mod table;

/// Does what a party that the bench has started is to do; false where `words` do not name one.
pub fn is_party(words: &[&str]) -> bool {
    match words {
        ["blast", stream, ca_file, tls] => blaster::serve(stream, ca_file.as_ref(), *tls == "tls"),
        ["drain", url, ca_file] => drain::drain(url, ca_file.as_ref()),
        _ => return false,
    }
    true
}

/// A number from the environment.
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// How often each contender runs.
pub fn rounds() -> usize {
    setting("CERTSTREAM_BENCH_ROUNDS", 5)
}

/// How long the fastest contender runs at least.
pub fn seconds() -> usize {
    setting("CERTSTREAM_BENCH_SECONDS", 10)
}
