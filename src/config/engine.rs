//! The `engine:` block: how many threads match, where threads run, who reads the names of frames.
//!
//! Owns its keys. What comes of them is `pipeline`'s business.

use super::{MAX_MATCHERS, PARSES, set};
use crate::cores::{CoreList, Pins};
use crate::error::{Error, Result};
use crate::update::Parse;
use crate::yaml::Field;

const ENGINE_KEYS: [&str; 3] = ["matchers", "parse", "pin"];
const PIN_KEYS: [&str; 3] = ["feeds", "matchers", "writer"];

/// The engine as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engine {
    /// Matcher threads; none: one less than the cores, at least one.
    pub matchers: Option<usize>,
    /// Who reads the names of certstream frames.
    pub parse: Parse,
    /// Where threads run.
    pub pins: Pins,
}

/// The block; what it does not say is left to the defaults.
pub(super) fn read(field: &Field<'_>) -> Result<Engine> {
    let table = field.table(&ENGINE_KEYS)?;
    let matchers = table.get("matchers").map(|field| read_matchers(&field)).transpose()?;
    let mut engine = Engine { matchers, ..Engine::default() };
    set(&mut engine.parse, table.get("parse"), |field| field.one_of(&PARSES))?;
    if let Some(pin) = table.get("pin") {
        let table = pin.table(&PIN_KEYS)?;
        let cores = |key| table.get(key).map(|field| read_cores(&field)).transpose();
        engine.pins =
            Pins { feeds: cores("feeds")?, matchers: cores("matchers")?, writer: cores("writer")? };
    }
    Ok(engine)
}

fn read_matchers(field: &Field<'_>) -> Result<usize> {
    let matchers = field.number(1)?;
    if matchers > MAX_MATCHERS {
        return Err(field
            .fault(format!("at most {MAX_MATCHERS} matchers can run"))
            .remedy("leave it out: one less than the cores is the default"));
    }
    Ok(matchers)
}

fn read_cores(field: &Field<'_>) -> Result<CoreList> {
    let text = field.text()?;
    let cores = CoreList::parse(&text).ok_or_else(|| {
        field
            .fault(format!("`{text}` is no list of cores"))
            .remedy("write it as taskset -c does, for example '2-3' or '0,4'")
    })?;
    let unusable = cores
        .unusable()
        .map_err(|error| Error::failed(format!("cannot ask which cores there are: {error}")))?;
    if unusable.is_empty() {
        return Ok(cores);
    }
    Err(field
        .fault(format!("this machine does not let CertStream run on core {}", listed(&unusable)))
        .remedy(
            "`nproc` tells how many cores there are, counted from 0; `taskset -cp $$` which ones",
        ))
}

fn listed(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
