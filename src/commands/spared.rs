//! The files a command reads or keeps, and so must not write over: database, config, rules,
//! captures.
//!
//! Owns when two paths are one file, and the refusal. It comes before anything is opened for
//! writing, since what a rename or a truncation takes is gone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::{Config, LogListPlace, SecretPlace};
use crate::error::{Error, Result};
use crate::export::{self, Target};

/// What stands beside a database: SQLite's own files, and our lock.
const BESIDE_DATABASE: [&str; 6] = ["", "-wal", "-shm", "-journal", ".lock", ".backfill.lock"];

/// Files that must not be written over, each with what it is.
#[derive(Debug)]
pub struct Spared {
    files: Vec<(&'static str, PathBuf)>,
}

impl Spared {
    /// Those of a config, and the rule files of the command line.
    pub fn of(config: &Config, rules: &[PathBuf]) -> Self {
        let mut spared = Self { files: Vec::new() };
        spared.add("the config", &config.file);
        spared.add("a rule file", config.input.iter().chain(&config.rule_files).chain(rules));
        let certificates = config.servers.iter().filter_map(|server| server.ca_file.as_ref());
        spared.add("a file of certificates", certificates);
        let secrets = config.servers.iter().flat_map(|server| [&server.token, &server.proxy_auth]);
        let secrets = secrets.filter_map(|place| match place {
            Some(SecretPlace::File(file)) => Some(file),
            _ => None,
        });
        spared.add("a file with a secret", secrets);
        if let LogListPlace::File(list) = &config.ct.log_list {
            spared.add("the list of CT logs", [list]);
        }
        spared
    }

    /// Adds a database and what stands beside it.
    pub fn database(mut self, database: &Path) -> Self {
        for suffix in BESIDE_DATABASE {
            let mut file = database.as_os_str().to_os_string();
            file.push(suffix);
            self.files.push(("the database", PathBuf::from(file)));
        }
        self
    }

    /// Adds captures that are read or recorded; `-` is none.
    pub fn captures<'p>(mut self, captures: impl IntoIterator<Item = &'p Path>) -> Self {
        for capture in captures.into_iter().filter(|capture| capture.as_os_str() != "-") {
            self.files.push(("a capture", capture.to_path_buf()));
        }
        self
    }

    fn add<'p>(&mut self, what: &'static str, files: impl IntoIterator<Item = &'p PathBuf>) {
        self.files.extend(files.into_iter().map(|file| (what, file.clone())));
    }

    /// The export's target that `output` names.
    ///
    /// # Errors
    /// A usage error when it is one of these, or another database.
    pub fn target(&self, output: &Path) -> Result<Target> {
        let target = Target::of(output);
        if let Target::File(file) = &target {
            let remedy = "name another file, with certstream.output or --output";
            self.check("the export", file, remedy)?;
        }
        target.check()?;
        Ok(target)
    }

    /// The same for a run, whose matches go to standard output.
    ///
    /// # Errors
    /// A usage error also for standard output.
    pub fn file_target(&self, output: &Path) -> Result<Target> {
        match self.target(output)? {
            Target::Stdout => Err(Error::usage("a run cannot export to stdout: it shows matches")
                .in_file(output)
                .remedy("name a file, or run `certstream export --output -` afterwards")),
            file => Ok(file),
        }
    }

    /// Refuses to let `writer` ("the export", "the capture") write to `file` if it is one of
    /// these; `remedy` says how to name another.
    ///
    /// # Errors
    /// A usage error when it is.
    pub fn check(&self, writer: &str, file: &Path, remedy: &str) -> Result<()> {
        match self.files.iter().find(|(_what, spared)| are_one(spared, file)) {
            Some((what, spared)) => {
                let spared = spared.display();
                Err(Error::usage(format!("{writer} would overwrite {what} ({spared})"))
                    .in_file(file)
                    .remedy(remedy))
            }
            None => Ok(()),
        }
    }
}

/// Whether both paths lead to one file, by whatever names, also where there is none yet.
fn are_one(one: &Path, other: &Path) -> bool {
    let inode = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    match (inode(one), inode(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => export::resolved(one) == export::resolved(other),
        _ => false,
    }
}
