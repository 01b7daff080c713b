//! JSON Lines: one record a line.

use std::io::Write;

use super::Fault;
use super::select::Selection;

/// Writes the record of every selected domain to `out`, and counts in `domains`.
pub(super) fn write(
    selection: &Selection<'_>,
    out: &mut dyn Write,
    domains: &mut u64,
) -> Result<(), Fault> {
    selection.records(|record| {
        out.write_all(record.to_json().as_bytes())?;
        out.write_all(b"\n")?;
        *domains += 1;
        Ok(())
    })
}
