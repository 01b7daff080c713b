//! Where frames and rules are from: the corpus beside the checkout, or else the generator.

use std::path::{Path, PathBuf};

use super::synthetic;

/// A set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// 1,000 that hit about as rarely as on a live feed.
    Live,
    /// 1,000 that a tenth of the frames hit.
    Thousand,
    TenThousand,
}

impl Rules {
    pub fn label(self) -> &'static str {
        ["1,000 rules, rare hits", "1,000 rules, a tenth hit", "10,000 rules"][self as usize]
    }

    fn file_name(self) -> &'static str {
        ["rules_1000_live.txt", "rules_1000.txt", "rules_10000.txt"][self as usize]
    }

    /// The corpus's file; without a corpus one that is written into `folder`.
    pub fn file(self, folder: &Path) -> PathBuf {
        if let Some(corpus) = corpus() {
            return corpus.join("rules").join(self.file_name());
        }
        let file = folder.join(self.file_name());
        std::fs::write(&file, synthetic::rules(self)).expect("a writable folder");
        file
    }
}

/// The large corpus: beside the checkout, or where `CERTSTREAM_BENCH_CORPUS` says (`none`: nowhere).
pub fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("CERTSTREAM_BENCH_CORPUS").map_or(beside, PathBuf::from);
    corpus.join("rules").exists().then_some(corpus)
}

/// Says where frames and rules are from.
pub fn describe() -> String {
    match corpus() {
        Some(_) => "frames and rules of the corpus".to_owned(),
        None => "the corpus is not beside this checkout: generated frames and rules".to_owned(),
    }
}
