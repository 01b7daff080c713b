//! How the report puts figures, times and texts.
//!
//! Owns their units, the escaping and the columns; what they say is the report's.

use crate::record::{escape, rfc3339};

/// A second, in microseconds.
pub(super) const SECOND: i64 = 1_000_000;
/// A day, in microseconds.
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Characters of a server's or user's text shown at most.
const SHOWN_CHARACTERS: usize = 100;

/// The rows as indented lines, their columns aligned.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |text: &String| text.chars().count();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            format!("    {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
        })
        .collect()
}

/// A server's or user's text, escaped and of bounded length.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", escape(&text[..end])),
        None => escape(text).into_owned(),
    }
}

/// For the texts that stand among others made on the spot.
pub(super) fn owned(text: &str) -> String {
    text.to_owned()
}

/// A time to the second.
pub(super) fn time(micros: i64) -> String {
    rfc3339(micros.saturating_sub(micros.rem_euclid(SECOND)))
}

/// A number of things, `1234567` as `1,234,567`. None of ours is negative.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A span in its two largest units.
pub(super) fn duration(micros: i64) -> String {
    let seconds = micros.max(0) / SECOND;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{:.1} s", micros.max(0) as f64 / SECOND as f64),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A size, in the decimal units of disks.
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..10_000 => format!("{number} bytes"),
        10_000..10_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        _ => format!("{:.1} MB", number as f64 / 1e6),
    }
}
