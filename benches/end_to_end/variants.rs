//! The program against itself: other settings, other builds.

use std::path::Path;

use crate::loopback::blaster::Blaster;
use crate::loopback::client::{Client, Program, binary};
use crate::loopback::frames::Stream;
use crate::loopback::inputs::Rules;
use crate::loopback::table::{Contender, compare, frames_for};
use crate::loopback::{rounds, seconds};

/// Compares programs over a stream; ratios are to the first.
fn table(title: &str, stream: Stream, programs: Vec<(String, Program)>) {
    let mut blaster = Blaster::start(stream, false);
    let contender =
        |(label, program): (String, Program)| Contender::new(label, Client::Program(program));
    let contenders: Vec<Contender> = programs.into_iter().map(contender).collect();
    let frames = frames_for(&contenders[0].client, &mut blaster, seconds() as f64);
    let title = format!("{title}, {}, ws", stream.name());
    compare(&title, &mut blaster, &contenders, rounds(), frames);
}

/// Matcher threads and feeds.
pub fn threads() {
    for stream in [Stream::Lite, Stream::Domains] {
        let mut programs = Vec::new();
        for feeds in [1, 2] {
            for matchers in [1, 2, 4] {
                let config = format!("engine: {{matchers: {matchers}}}\n");
                let program = Program { feeds, ..Program::new(Rules::Live).with(&config) };
                programs.push((format!("{feeds} feeds, {matchers} matchers"), program));
            }
        }
        table("threads", stream, programs);
    }
}

/// Scrapes of the metrics.
pub fn scrape() {
    let scraped =
        |scrapes: f64| Program { scrapes: Some(scrapes), ..Program::new(Rules::Thousand) };
    let programs = vec![
        ("never".to_owned(), Program::new(Rules::Thousand)),
        ("every second".to_owned(), scraped(1.0)),
        ("ten times a second".to_owned(), scraped(10.0)),
    ];
    table("metrics scraped", Stream::Lite, programs);
}

/// What a dedicated machine can be set to.
pub fn tuning() {
    let plain = || Program::new(Rules::Live);
    let pinned = |feeds, matchers| {
        let pin = format!("{{feeds: '{feeds}', matchers: '{matchers}', writer: '{matchers}'}}");
        plain().with(&format!("engine: {{pin: {pin}}}\n"))
    };
    let programs = vec![
        ("as it comes".to_owned(), plain()),
        ("feed on core 0, the rest on 1".to_owned(), pinned(0, 1)),
        ("all on core 1".to_owned(), pinned(1, 1)),
        ("`parse: strict`".to_owned(), plain().with("engine: {parse: strict}\n")),
    ];
    table("tuning", Stream::Lite, programs);
    let store =
        |settings: &str| Program::new(Rules::Thousand).with(&format!("database: {{{settings}}}\n"));
    let programs = vec![
        ("`synchronous: normal`".to_owned(), store("synchronous: normal")),
        ("`synchronous: full`".to_owned(), store("synchronous: full")),
        ("`cache: 64 MiB`".to_owned(), store("cache: 64 MiB")),
    ];
    table("store", Stream::Lite, programs);
}

/// Other builds of the program.
pub fn binaries(files: &[&str]) {
    for stream in Stream::ALL {
        let mut programs = vec![("this build".to_owned(), Program::new(Rules::Live))];
        for file in files {
            let other = Program { binary: binary(Path::new(file)), ..Program::new(Rules::Live) };
            programs.push(((*file).to_owned(), other));
        }
        table("builds", stream, programs);
    }
}
