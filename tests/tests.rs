//! All integration tests, as one binary: it links once, and a part of the harness that no test
//! uses shows up as dead code. Each module is one behaviour, named in its first line.

mod testenv;

mod differential;
mod feed_frames;
mod feed_pings;
mod feed_reconnect;
mod feed_refusals;
mod feed_stop;
mod feed_tls;
mod feed_trickle;
mod hostile;
mod real_frames;
mod signals;
mod start_errors;
mod store_prefix;
