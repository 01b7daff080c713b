//! Any bytes as a config: no panic, complaints that help, and settings that cannot be wrong.

#![no_main]

use std::path::Path;

use certstream::config::Config;
use certstream::error::ExitCode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = Path::new("/etc/certstream/config.yaml");
    match Config::parse(bytes, file) {
        Ok(config) => {
            assert!(config.output.is_absolute() && config.database.filename.is_absolute());
            assert!(config.input.iter().chain(&config.rule_files).all(|file| file.is_absolute()));
            assert!(config.database.cache > 0 && config.database.backlog > 0);
            assert!(config.engine.matchers != Some(0));
            assert!(config.servers.iter().all(|server| !server.url.is_empty()));
            assert!(config.rules.iter().all(|rule| !rule.pattern.is_empty() && rule.line > 0));
            // A stream's path is added to the URL once, whatever the URL is.
            let again = Config::parse(bytes, file).expect("accepted before");
            assert_eq!(again.servers, config.servers);
        }
        Err(error) => {
            assert_eq!(error.exit(), ExitCode::Usage);
            let shown = error.to_string();
            assert!(shown.starts_with("/etc/certstream/config.yaml:"), "{shown}");
            assert!(shown.contains("\n  remedy: "), "{shown}");
        }
    }
});
