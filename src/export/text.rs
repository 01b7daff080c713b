//! Text: one domain a line, the ancestor's format.

use std::io::Write;

use super::Fault;
use super::select::Selection;
use crate::record::escape;

/// Writes every selected domain to `out`, and counts in `domains`.
pub(super) fn write(
    selection: &Selection<'_>,
    out: &mut dyn Write,
    domains: &mut u64,
) -> Result<(), Fault> {
    selection.domains(|domain| {
        // Ours need no escape; what was adopted from the ancestor's database may.
        out.write_all(escape(domain).as_bytes())?;
        out.write_all(b"\n")?;
        *domains += 1;
        Ok(())
    })
}
