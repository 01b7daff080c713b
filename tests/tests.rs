//! All integration tests, as one binary: it links once, and a part of the harness that no test
//! uses shows up as dead code. Each module is one behaviour, named in its first line.

mod testenv;

mod ancestor;
mod brands;
mod ctlog_backfill;
mod ctlog_entries;
mod ctlog_faults;
mod ctlog_kill;
mod ctlog_list;
mod ctlog_resume;
mod ctlog_watch;
mod differential;
mod differential_unicode;
mod exactness;
mod exports;
mod fast_parse;
mod feed_failover;
mod feed_frames;
mod feed_pings;
mod feed_proxy;
mod feed_reconnect;
mod feed_reconnects;
mod feed_refusals;
mod feed_stall;
mod feed_stop;
mod feed_tls;
mod feed_trickle;
mod hostile;
mod hostile_end_to_end;
mod keep;
mod kill;
mod log_faults;
mod log_heads;
mod log_proofs;
mod log_server;
mod lost_writer;
mod observe;
mod real_frames;
mod record;
mod refusals;
mod restart;
mod signals;
mod start_errors;
mod stdout;
mod store_prefix;
