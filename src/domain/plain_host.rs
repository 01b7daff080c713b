//! The host that nearly every name is: short, plain ASCII, no label of digits at its end.
//!
//! Owns the quick look at it, eight bytes at a time. It may know less than `judge` does, never
//! otherwise: what it does not understand it leaves to that.
//!
//! A table and a branch for each byte took 1.4 times as long for the whole of sanitising, over the
//! corpus's plain names (`cargo bench --bench domain`, both in turn).

/// Bytes of a host whose dots fit one word of bits, and whose labels are then short enough.
const LONGEST: usize = 63;
/// Bytes looked at together.
const WORD: usize = size_of::<u64>();
/// The highest bit of every byte.
const HIGH: u64 = every(0x80);

/// A word of eight times `byte`.
const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// Brings `host` into its form, in place, and says whether it holds a dot. None: it is not one of
/// those this knows, and has kept its bytes but for their case.
pub(super) fn judge_plain(host: &mut [u8]) -> Option<bool> {
    let length = host.len();
    if !(WORD..=LONGEST).contains(&length) {
        return None;
    }
    let mut odd = 0;
    let mut dots = 0;
    let mut start = 0;
    while start < length {
        // The last word overlaps the one before: a byte looked at twice tells the same twice.
        let at = start.min(length - WORD);
        let word = host[at..].first_chunk_mut::<WORD>()?;
        let looked_at = look(u64::from_le_bytes(*word));
        *word = looked_at.form.to_le_bytes();
        odd |= looked_at.odd;
        dots |= bits(looked_at.dots) << at;
        start += WORD;
    }
    let ends_in_digit = host[length - 1].is_ascii_digit();
    let empty_label = dots & (dots << 1 | 1 | 1 << (length - 1));
    (odd == 0 && empty_label == 0 && !ends_in_digit).then_some(dots != 0)
}

/// Eight bytes in their form. In the masks the highest bit of a byte speaks for it.
struct Look {
    form: u64,
    odd: u64,
    dots: u64,
}

fn look(word: u64) -> Look {
    // Without their highest bits bytes can be compared by adding: no carry leaves a byte.
    let bytes = word & !HIGH;
    let from = |bytes: u64, lowest: u8| bytes.wrapping_add(every(0x80 - lowest)) & HIGH;
    let among = |bytes, lowest, highest| from(bytes, lowest) & !from(bytes, highest + 1);
    let is = |byte| !from(bytes ^ every(byte), 1) & HIGH;

    let upper = among(bytes, b'A', b'Z');
    let letters = among(bytes, b'a', b'z') | upper;
    // `-`, `.`, `/` and the digits follow each other.
    let others = among(bytes, b'-', b'9') & !is(b'/') | is(b'_');
    Look { form: word | upper >> 2, odd: (word | !(letters | others)) & HIGH, dots: is(b'.') }
}

/// The highest bit of each byte, the first byte's lowest.
fn bits(mask: u64) -> u64 {
    /// Brings bit 8n to bit 56 + n; no two of them meet below.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    (mask >> 7).wrapping_mul(GATHER) >> 56
}

#[cfg(test)]
mod tests {
    use super::super::judge_any;
    use super::*;

    fn agree(host: &[u8]) {
        let (mut quick, mut slow) = (host.to_vec(), host.to_vec());
        let judged = judge_any(&mut slow);
        if let Some(has_dot) = judge_plain(&mut quick) {
            assert_eq!(judged, Ok(has_dot), "{}", host.escape_ascii());
            assert_eq!(quick, slow, "{}", host.escape_ascii());
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_as_the_table_judges_it() {
        for length in WORD..=LONGEST {
            let host: Vec<u8> =
                (0..length).map(|at| if at % 7 == 3 { b'.' } else { b'n' }).collect();
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut host = host.clone();
                    host[at] = byte;
                    agree(&host);
                }
            }
        }
    }

    #[test]
    fn plain_hosts_are_known() {
        for (host, has_dot) in [
            (&b"www-2_x.Example.COM"[..], true),
            (b"localhost", false),
            (b"xn--bcher-kva.example", true),
            (b"a.b.c.d.", false),
        ] {
            let known = judge_plain(&mut host.to_vec());
            assert_eq!(known, (host[host.len() - 1] != b'.').then_some(has_dot), "{host:?}");
        }
    }

    #[test]
    fn random_hosts_are_judged_as_the_table_judges_them() {
        let mut random = fastrand::Rng::with_seed(29);
        for _ in 0..200_000 {
            let length = random.usize(0..80);
            let host: Vec<u8> = (0..length)
                .map(|_| *random.choice(b"aZ09-_../x.y@\x80\xff ").expect("some"))
                .collect();
            agree(&host);
        }
    }
}
