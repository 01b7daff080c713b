//! The `certstream` binary: reads the command line, calls the library, turns the result into an
//! exit code. Declares no modules.

use std::io::Write;
use std::process::ExitCode;

/// Against glibc's allocator: batches cross threads, and what a matcher frees a feed allocates.
/// mimalloc keeps per-thread heaps for that and gives memory back after a burst.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match certstream::cli::parse(&words) {
        Ok(args) => certstream::commands::run(args)
            .unwrap_or_else(|error| {
                // Where stderr is closed the exit code still says it.
                let _ = writeln!(std::io::stderr(), "certstream: {error}");
                error.exit()
            })
            .into(),
        Err(early) => early.show().into(),
    }
}
