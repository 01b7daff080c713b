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

/// `text` made safe for terminals and spreadsheets: where it begins as a formula may, a `'` goes
/// in front. That holds for every part of a list, since a spreadsheet set to `;` splits there.
fn guard(text: &str) -> Cow<'_, str> {
    let escaped = escape(text);
    // The full-width forms of the signs count as the signs in East Asian versions of Excel.
    let formula = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if text.starts_with(formula) { Cow::Owned(format!("'{escaped}")) } else { escaped }
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
