//! What feeds ask the database, without knowing it.
//!
//! Owns the connections, each opened when it is first needed. What is asked is `store`'s business.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::feed::ctlog;
use crate::store::{Holes, Unverified};

/// A reader of the database that is opened with the first question.
struct Reader<R> {
    database: PathBuf,
    open: fn(&Path) -> Result<R>,
    opened: Mutex<Option<R>>,
}

impl<R> Reader<R> {
    fn new(database: PathBuf, open: fn(&Path) -> Result<R>) -> Self {
        Self { database, open, opened: Mutex::default() }
    }

    fn ask<T>(&self, question: impl FnOnce(&R) -> Result<T>) -> Result<T> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(reader) => question(reader),
            None => question(opened.insert((self.open)(&self.database)?)),
        }
    }
}

/// Tells a feed of logs what was matched by names alone.
pub fn left_to_verify(database: PathBuf) -> ctlog::Left {
    let reader = Reader::new(database, Unverified::open);
    ctlog::Left(Box::new(move |log_url, limit| reader.ask(|reader| reader.left(log_url, limit))))
}

/// Tells a healer which holes are open.
pub fn open_holes(database: PathBuf) -> ctlog::Holes {
    let reader = Reader::new(database, Holes::open);
    ctlog::Holes(Box::new(move |most| reader.ask(|reader| reader.open_ones(most))))
}
