//! Frames and rules for a checkout without the corpus: the real frames of `tests/data` with other
//! names and indexes in them, the same each time.

use std::fmt::Write as _;
use std::path::Path;

use super::frames::Stream;
use super::inputs::Rules;

/// Frames of a stream.
const FRAMES: u64 = 20_000;
/// Real entries in the data, each in the three forms, full, lite and domains-only, in turn.
const ENTRIES: usize = 8;
/// One name in so many holds a word that the rules which hit rarely look for, and one that the
/// others look for.
const RARE: u64 = 700;
const COMMON: u64 = 27;
/// Marks such words, and stands in no other name.
const MARK: &str = "zq";

/// Gives each frame of a stream to `each`.
pub fn frames(stream: Stream, mut each: impl FnMut(&[u8])) {
    let templates = templates(stream);
    let mut chance = Chance(stream as u64);
    for number in 0..FRAMES {
        let template = &templates[chance.below(ENTRIES as u64) as usize];
        each(template.fill(number, |_| chance.name()).as_bytes());
    }
}

/// A set of rules, one a line.
pub fn rules(rules: Rules) -> String {
    let (count, mut chance) = match rules {
        Rules::Live => (1_000, Chance(11)),
        Rules::Thousand => (1_000, Chance(12)),
        Rules::TenThousand => (10_000, Chance(13)),
    };
    let mut text = String::new();
    for number in 0..count {
        // A few words that are in the frames, among many that are not.
        let (kind, group) = (["live", "often"][usize::from(rules != Rules::Live)], number / 64);
        let word = if number % 64 == 0 && group < 16 {
            format!("{MARK}{kind}{group:02}")
        } else {
            format!("{}{}", chance.word(3), chance.word(2))
        };
        let line = match number % 4 {
            0 | 1 => word,
            2 => format!("{word}.*(login|secure|support)"),
            _ => format!("(^|[.-]){word}[0-9]*[.-]"),
        };
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The real frames of a stream.
pub fn templates(stream: Stream) -> Vec<Template> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    let text = std::fs::read_to_string(data).expect("a checkout has it");
    let lines = text.lines().take(3 * ENTRIES).skip(stream as usize).step_by(3);
    lines.map(Template::of).collect()
}

/// A real frame whose names and index can be replaced.
pub struct Template {
    frame: String,
    /// Its names, the longest first, so that none is taken for a part of another.
    names: Vec<String>,
    index: Option<String>,
}

impl Template {
    fn of(frame: &str) -> Self {
        let value: serde_json::Value = serde_json::from_str(frame).expect("JSON");
        let data = &value["data"];
        let listed = data["leaf_cert"]["all_domains"].as_array().or(data.as_array());
        let listed = listed.expect("names").iter().filter_map(|name| name.as_str());
        let mut names: Vec<String> = listed.map(str::to_owned).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let index = data["cert_index"].as_u64().map(|index| format!("\"cert_index\":{index}"));
        Self { frame: frame.to_owned(), names, index }
    }

    /// The frame with the index of `number`, and each of its names as `name` has it.
    pub fn fill(&self, number: u64, mut name: impl FnMut(usize) -> String) -> String {
        let mut frame = self.frame.clone();
        for (place, old) in self.names.iter().enumerate() {
            frame = frame.replace(old, &name(place));
        }
        if let Some(index) = &self.index {
            frame = frame.replacen(index, &format!("\"cert_index\":{}", 1_000_000 + number), 1);
        }
        frame
    }
}

/// A sequence of numbers that is the same each time (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        for shift in [30, 27, 31] {
            mixed = (mixed ^ (mixed >> shift)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        (mixed >> 16) % bound
    }

    /// A word of so many syllables, none of which is in a mark.
    fn word(&mut self, syllables: usize) -> String {
        const STARTS: [&str; 14] =
            ["b", "br", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t"];
        const ENDS: [&str; 10] = ["a", "e", "i", "o", "u", "an", "er", "in", "on", "ar"];
        let mut word = String::new();
        for _ in 0..syllables {
            word.push_str(STARTS[self.below(STARTS.len() as u64) as usize]);
            word.push_str(ENDS[self.below(ENDS.len() as u64) as usize]);
        }
        word
    }

    fn name(&mut self) -> String {
        const SUFFIXES: [&str; 8] = ["com", "net", "org", "de", "co.uk", "io", "com.br", "shop"];
        let suffix = SUFFIXES[self.below(8) as usize];
        let first = match self.below(10) {
            0 => "www.".to_owned(),
            1 => "*.".to_owned(),
            2 => format!("{}.", self.word(2)),
            _ => String::new(),
        };
        let marked = match (self.below(RARE), self.below(COMMON)) {
            (0, _) => format!("{MARK}live{:02}", self.below(16)),
            (_, 0) => format!("{MARK}often{:02}", self.below(16)),
            _ => String::new(),
        };
        let syllables = 2 + self.below(3) as usize;
        format!("{first}{marked}{}.{suffix}", self.word(syllables))
    }
}
