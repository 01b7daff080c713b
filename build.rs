//! Tells the binary where it comes from: commit, compiler and features, for `--version`.

use std::path::Path;
use std::process::Command;

fn main() {
    // Without a checkout (a source archive) there is no commit to name.
    let commit = first_line("git", &["rev-parse", "--short=12", "HEAD"]);
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let features = if std::env::var_os("CARGO_FEATURE_VENDORED_TLS").is_some() {
        "vendored-tls"
    } else {
        "none"
    };
    println!("cargo:rustc-env=CERTSTREAM_COMMIT={commit}");
    println!("cargo:rustc-env=CERTSTREAM_RUSTC={}", first_line(&rustc, &["--version"]));
    println!("cargo:rustc-env=CERTSTREAM_FEATURES={features}");
    println!("cargo:rerun-if-changed=build.rs");
    for changed in [".git/HEAD", ".git/refs/heads"] {
        if Path::new(changed).exists() {
            println!("cargo:rerun-if-changed={changed}");
        }
    }
}

fn first_line(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let text = String::from_utf8(text.unwrap_or_default()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
