//! `watch` against reading the same bytes and dropping them: the goals, and what was reached.

use crate::loopback::blaster::Blaster;
use crate::loopback::client::{Client, Program};
use crate::loopback::frames::Stream;
use crate::loopback::inputs::Rules;
use crate::loopback::table::{Asked, Contender, compare as compare_all, frames_for};
use crate::loopback::{rounds, seconds};

/// Memory asked of 1,000 and of 10,000 rules, in MB.
const PEAKS: (f64, f64) = (64.0, 200.0);

/// Compares the two over `stream`, or over all of them.
pub fn compare(stream: Option<Stream>) {
    for tls in [false, true] {
        for stream in Stream::ALL.into_iter().filter(|one| stream.is_none_or(|only| *one == only)) {
            // Names alone are nowhere read over TLS at such a rate that it matters.
            if !(tls && stream == Stream::Domains) {
                one(stream, tls);
            }
        }
    }
}

fn one(stream: Stream, tls: bool) {
    let mut blaster = Blaster::start(stream, tls);
    let frames = frames_for(&Client::Drain, &mut blaster, seconds() as f64);
    let program = |rules| Contender::new(rules_label(rules), Client::Program(Program::new(rules)));
    let asked = Asked { peak: Some(PEAKS.0), ..asked(stream, tls) };
    let mut contenders = vec![
        Contender::new("read and dropped", Client::Drain),
        Contender { asked, ..program(Rules::Live) },
        Contender { fewer: 2, ..program(Rules::Thousand) },
    ];
    if stream == Stream::Lite && !tls {
        let asked = Asked { peak: Some(PEAKS.1), ..Asked::default() };
        contenders.push(Contender { asked, fewer: 4, ..program(Rules::TenThousand) });
    }
    let title = format!("{}, {}", stream.name(), if tls { "wss" } else { "ws" });
    compare_all(&title, &mut blaster, &contenders, rounds(), frames);
}

fn rules_label(rules: Rules) -> String {
    format!("`watch`, {}", rules.label())
}

fn asked(stream: Stream, tls: bool) -> Asked {
    let (wall, cpu) = match (stream, tls) {
        (Stream::Full, false) => (Some(0.80), Some(1.5)),
        (Stream::Lite, false) => (Some(0.45), Some(2.2)),
        (Stream::Domains, false) => (Some(0.20), Some(7.0)),
        (Stream::Full, true) => (None, Some(1.2)),
        (Stream::Lite, true) => (None, Some(1.5)),
        (Stream::Domains, true) => (None, None),
    };
    Asked { wall, cpu, peak: None }
}
