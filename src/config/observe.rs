//! The `observe:` block: where metrics and health are served.
//!
//! Owns its key. Serving is `observe`'s business.

use std::net::SocketAddr;

use crate::error::Result;
use crate::yaml::Field;

const OBSERVE_KEYS: [&str; 1] = ["listen"];

/// The address to listen at; none: nothing is served.
pub(super) fn read(field: &Field<'_>) -> Result<Option<SocketAddr>> {
    let Some(listen) = field.table(&OBSERVE_KEYS)?.get("listen") else { return Ok(None) };
    let text = listen.text()?;
    // Numeric only: a name may stand for an address that others reach, too.
    text.parse().map(Some).map_err(|_| {
        listen
            .fault(format!("`{text}` is no address to listen at"))
            .remedy("write an IP address and a port, for example: listen: '127.0.0.1:9464'")
    })
}
