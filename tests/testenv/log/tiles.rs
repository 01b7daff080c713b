//! What static-ct-api answers: the checkpoint, tiles, issuers.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::State;
use super::fault::Fault;
use super::http::Answer;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hashes { level: u32 },
    Data,
    Names,
}

/// A tile's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    kind: Kind,
    number: u64,
    /// How many hashes or entries; 256 when it is full.
    width: u64,
}

impl Address {
    /// Reads what stands behind `tile/`; only the one right spelling of an address is one.
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        let kind = match kind {
            "data" => Kind::Data,
            "names" => Kind::Names,
            level => Kind::Hashes { level: level.parse().ok().filter(|level| *level < 6)? },
        };
        let (path, width) = match rest.split_once(".p/") {
            Some((path, width)) => (path, width.parse().ok().filter(|width| *width < 256)?),
            None => (rest, 256),
        };
        let digits = path.replace(['x', '/'], "");
        let address = Self { kind, number: digits.parse().ok()?, width };
        (address.to_string() == text && width > 0).then_some(address)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Hashes { level } => write!(out, "{level}/")?,
            Kind::Data => write!(out, "data/")?,
            Kind::Names => write!(out, "names/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut above = self.number / 1000;
        while above > 0 {
            groups.insert(0, above % 1000);
            above /= 1000;
        }
        let last = groups.pop().expect("there is one");
        groups.iter().try_for_each(|group| write!(out, "x{group:03}/"))?;
        write!(out, "{last:03}")?;
        if self.width < 256 { write!(out, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// Answers the request for what stands behind the log's path.
pub fn answer(log: &mut State, path: &str, fault: Option<&Fault>) -> Answer {
    if path == "checkpoint" {
        return Answer::new("text/plain; charset=utf-8", log.checkpoint());
    }
    if let Some(fingerprint) = path.strip_prefix("issuer/") {
        let issuers = log.entries.iter().flat_map(|entry| &entry.chain);
        let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut named = issuers.filter(|issuer| hex(&issuer.fingerprint) == fingerprint);
        let certificate = named.find_map(|issuer| issuer.der.as_deref());
        return certificate
            .map_or_else(|| Answer::status(404), |der| Answer::new("application/pkix-cert", der));
    }
    let address = path.strip_prefix("tile/").and_then(Address::parse);
    address.and_then(|address| tile(log, address, fault)).unwrap_or_else(|| Answer::status(404))
}

fn tile(log: &mut State, address: Address, fault: Option<&Fault>) -> Option<Answer> {
    let level = if let Kind::Hashes { level } = address.kind { level } else { 0 };
    if address.width < 256 {
        // Only what a published size needs, as the specification has it.
        let nodes = |size: &u64| size >> (8 * level);
        let last = address.number.checked_mul(256)?.checked_add(address.width)?;
        log.published.iter().find(|size| nodes(size) == last)?;
    }
    if address.kind == Kind::Names && !log.has_names {
        return None;
    }
    let packs = !matches!(address.kind, Kind::Hashes { .. });
    let cached = packs && address.width == 256 && fault.is_none();
    if cached && let Some(packed) = log.packed.get(&address.to_string()) {
        return Some(packed_answer(packed));
    }
    let mut shown = address;
    if let Some(Fault::OtherTile) = fault {
        // The one before, or of the first one the one behind.
        shown.number = if shown.number == 0 { 1 } else { shown.number - 1 };
    }
    let mut content = content(log, shown, fault)?;
    if !packs {
        return Some(Answer::new("application/octet-stream", content));
    }
    // Behind the packing it would be too late.
    if let Some(fault) = fault {
        fault.flip(&mut content);
    }
    let packed = pack(&content);
    if cached {
        log.packed.insert(address.to_string(), Arc::from(&packed[..]));
    }
    Some(packed_answer(&packed))
}

fn packed_answer(packed: &[u8]) -> Answer {
    let mut answer = Answer::new("application/octet-stream", packed);
    answer.headers.push("Content-Encoding: gzip".to_owned());
    answer.packed = true;
    answer
}

fn pack(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The tile unpacked; none where the log has no such entries.
fn content(log: &State, address: Address, fault: Option<&Fault>) -> Option<Vec<u8>> {
    if let Kind::Hashes { level } = address.kind {
        return log.tree.tile(level, address.number, address.width);
    }
    let begin = usize::try_from(address.number.checked_mul(256)?).ok()?;
    let entries = log.entries.get(begin..begin + usize::try_from(address.width).ok()?)?;
    let mut bytes = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let bare = matches!(fault, Some(Fault::Unindexed));
        let index = log.index((begin + at) as u64).filter(|_| !bare);
        let altered = matches!(fault, Some(Fault::AlteredEntry(number)) if *number == at);
        let entry = if altered { &entry.altered() } else { entry };
        match address.kind {
            Kind::Names => bytes.extend(entry.names_line()),
            _ => bytes.extend(entry.tile_leaf(index)),
        }
    }
    Some(bytes)
}
