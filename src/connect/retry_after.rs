//! `Retry-After`: how long a server asks us to stay away.
//!
//! Owns the header's two forms (RFC 9110, section 10.2.3). What is done until then is the
//! caller's business.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// How long the value of a `Retry-After` header, a number of seconds or an HTTP date, asks us to
/// stay away as of `now`; none where it is neither. Never longer than `longest`: that bounds what
/// a server's mistake, or a wrong clock on either side, can cost.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp, longest: Duration) -> Option<Duration> {
    let value = value.trim();
    let asked = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = DateTimeParser::new().parse_timestamp(value).ok()?;
            // A date that has passed asks for nothing.
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(asked.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_bounded() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let hour = Duration::from_secs(3600);
        for (value, asked) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999", Some(3600)),
            ("99999999999999999999999", None),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Sun, 06 Nov 2094 08:49:37 GMT", None),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
        ] {
            let asked = asked.map(Duration::from_secs);
            assert_eq!(retry_after(value, now, hour), asked, "{value}");
        }
    }
}
