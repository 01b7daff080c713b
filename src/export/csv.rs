//! CSV: a header, then one record a line; made for spreadsheets.
//!
//! Owns the guard against text that a spreadsheet would run as a formula, and how a list fits one
//! cell. Quoting is the `csv` crate's.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use super::Fault;
use super::select::Selection;
use crate::record::{Record, escape};

/// Between the parts of a list in one cell. Not reversible where a part holds it, too: programs
/// read the JSON Lines.
const LIST_SEPARATOR: &str = "; ";

/// Writes a header and the record of every selected domain to `out`, and counts in `domains`.
pub(super) fn write(
    selection: &Selection<'_>,
    out: &mut dyn Write,
    domains: &mut u64,
) -> Result<(), Fault> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(Record::default().fields().map(|(name, _value)| name)).map_err(io_error)?;
    selection.records(|record| {
        let cells = record.fields().map(|(_name, value)| cell(value));
        rows.write_record(&cells).map_err(io_error)?;
        *domains += 1;
        Ok(())
    })?;
    rows.flush()?;
    Ok(())
}

fn cell(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => guard(&text).into_owned(),
        Value::Array(parts) => {
            let cells: Vec<String> = parts.into_iter().map(cell).collect();
            cells.join(LIST_SEPARATOR)
        }
        // Numbers and booleans are ours, not the attacker's.
        other => other.to_string(),
    }
}

/// What a spreadsheet takes for the begin of a formula. The full-width forms count as the signs in
/// East Asian versions of Excel.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// `text` made safe for terminals and spreadsheets: wherever a formula may begin, a `'` goes in
/// front. That is at the start, and behind each `;`, since a spreadsheet set to `;` splits there,
/// in quotes or not.
fn guard(text: &str) -> Cow<'_, str> {
    let begins = |part: &str| part.trim_start_matches(' ').starts_with(FORMULA);
    if !text.split(';').any(begins) {
        return escape(text);
    }
    let guarded = text.split(';').map(|part| {
        let at = part.len() - part.trim_start_matches(' ').len();
        let sign = if begins(part) { "'" } else { "" };
        format!("{}{sign}{}", &part[..at], escape(&part[at..]))
    });
    Cow::Owned(guarded.collect::<Vec<_>>().join(";"))
}

fn io_error(error: csv::Error) -> Fault {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Fault::Write(error),
        other => Fault::Write(io::Error::other(format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_as_a_formula() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\u{9}=1"),
            ("\r=1", "'\\u{d}=1"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("", ""),
            // A spreadsheet that splits at semicolons.
            ("O=a;=1+1;b; -2;\u{1b}", "O=a;'=1+1;b; '-2;\\u{1b}"),
            ("O=a;b=1; c", "O=a;b=1; c"),
        ] {
            assert_eq!(cell(Value::from(text)), shown);
        }
    }

    #[test]
    fn every_part_of_a_list_is_guarded() {
        assert_eq!(cell(Value::from(vec!["a", "=b", "c\u{1b}"])), "a; '=b; c\\u{1b}");
        assert_eq!(cell(Value::from(Vec::<String>::new())), "");
    }

    #[test]
    fn numbers_and_missing_values_stay_plain() {
        assert_eq!(cell(Value::from(-7)), "-7");
        assert_eq!(cell(Value::from(true)), "true");
        assert_eq!(cell(Value::Null), "");
    }
}
