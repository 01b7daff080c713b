//! Punycode (RFC 3492): what stands behind `xn--`, decoded.
//!
//! Owns the decoding alone, into memory that is reused: of real names two in a hundred have such a
//! label, and a matcher that is done with the others within nanoseconds feels every allocation.
//! What becomes of the characters is `views`' business.

/// The parameters of Punycode; digits count in base 36.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 0x80;

/// Characters beyond ASCII, each with its place in the decoded label, ascending.
pub(super) type Insertions = Vec<(u32, char)>;

/// Decodes what follows `xn--` in a label: its ASCII characters are returned, the others left in
/// `insertions`. None where it is no Punycode.
pub(super) fn decode<'l>(encoded: &'l str, insertions: &mut Insertions) -> Option<&'l str> {
    insertions.clear();
    let (base, mut digits) = match encoded.bytes().rposition(|byte| byte == b'-') {
        // A delimiter with nothing before it would be a digit, and is none.
        Some(0) => return None,
        Some(at) => (&encoded[..at], &encoded.as_bytes()[at + 1..]),
        None => ("", encoded.as_bytes()),
    };
    if !base.is_ascii() {
        return None;
    }
    let mut length = u32::try_from(base.len()).ok()?;
    let mut code_point = INITIAL_N;
    let mut bias = INITIAL_BIAS;
    let mut place = 0_u32;
    while !digits.is_empty() {
        let delta = delta(&mut digits, bias)?;
        length += 1;
        bias = adapted(delta, length, insertions.is_empty());
        place = place.checked_add(delta)?;
        // The place counts on over the label's end: each time round is one code point more.
        let rounds = divided(place, length);
        code_point = code_point.checked_add(rounds)?;
        place -= rounds * length;
        for (other, _) in insertions.iter_mut() {
            *other += u32::from(*other >= place);
        }
        insertions.push((place, char::from_u32(code_point)?));
        place += 1;
    }
    insertions.sort_unstable_by_key(|(place, _)| *place);
    Some(base)
}

/// Takes one number of variable length off `digits`; none where they end within it, where one is
/// no digit, or where the number is too large.
#[inline]
fn delta(digits: &mut &[u8], bias: u32) -> Option<u32> {
    let mut delta = 0_u32;
    let mut weight = 1_u32;
    let mut k = BASE;
    loop {
        let (first, rest) = digits.split_first()?;
        *digits = rest;
        let digit = u32::from(match first {
            b'a'..=b'z' => first - b'a',
            b'0'..=b'9' => first - b'0' + 26,
            b'A'..=b'Z' => first - b'A',
            _ => return None,
        });
        delta = delta.checked_add(digit.checked_mul(weight)?)?;
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if digit < threshold {
            return Some(delta);
        }
        weight = weight.checked_mul(BASE - threshold)?;
        k += BASE;
    }
}

/// The bias for the next number, after one in a label that has so many characters by now.
fn adapted(delta: u32, length: u32, first: bool) -> u32 {
    let mut delta = delta / if first { DAMP } else { 2 };
    delta += divided(delta, length);
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + BIASES[delta as usize]
}

/// By what is left of a number in the end: what it adds to the bias.
const BIASES: [u32; ((BASE - T_MIN) * T_MAX / 2 + 1) as usize] = {
    let mut biases = [0; ((BASE - T_MIN) * T_MAX / 2 + 1) as usize];
    let mut delta = 0;
    while delta < biases.len() as u32 {
        biases[delta as usize] = (BASE - T_MIN + 1) * delta / (delta + SKEW);
        delta += 1;
    }
    biases
};

/// Lengths of labels by which is divided without a division, which a processor takes longer for
/// than for all the rest: those that a DNS label may have.
const LENGTHS: usize = 64;
/// Bits behind the point in [`RECIPROCALS`].
const POINT: u32 = u32::BITS + LENGTHS.ilog2();
/// By length: one divided by it, rounded up. A product with a number of 32 bits is too large by
/// less than that number and one of those bits, so its whole part is the quotient's.
const RECIPROCALS: [u64; LENGTHS] = {
    let mut reciprocals = [0; LENGTHS];
    let mut length = 1;
    while length < LENGTHS {
        reciprocals[length] = (1_u64 << POINT).div_ceil(length as u64);
        length += 1;
    }
    reciprocals
};

/// `number / length`.
#[inline]
fn divided(number: u32, length: u32) -> u32 {
    match RECIPROCALS.get(length as usize) {
        Some(reciprocal) => ((u128::from(number) * u128::from(*reciprocal)) >> POINT) as u32,
        None => number / length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoded: &str) -> Option<String> {
        let mut insertions = Insertions::new();
        let base = decode(encoded, &mut insertions)?;
        let mut chars: Vec<char> = base.chars().collect();
        insertions.iter().for_each(|(place, c)| chars.insert(*place as usize, *c));
        Some(chars.into_iter().collect())
    }

    #[test]
    fn dividing_without_a_division_is_exact() {
        let mut random = fastrand::Rng::with_seed(2);
        for length in 1..200 {
            let multiples = (0..400).map(|_| random.u32(..=u32::MAX / length) * length);
            let edges = [0, 1, length, u32::MAX, u32::MAX / length * length];
            for near in multiples.chain(edges) {
                for number in [near.saturating_sub(1), near, near.saturating_add(1)] {
                    assert_eq!(divided(number, length), number / length, "{number} / {length}");
                }
            }
        }
    }

    #[test]
    fn it_decodes_what_the_crate_decodes() {
        let mut random = fastrand::Rng::with_seed(9);
        let mut decodable = 0;
        for round in 0..300_000 {
            let encoded: String = if round % 3 == 0 {
                // What stands for something, with an error in every second.
                let alphabet: &[char] =
                    [&['a', 'b', 'é', 'ü'][..], &['а', 'р', 'z'], &['例', '店', '𐍈', '-']]
                        [random.usize(..3)];
                let text: String = (0..random.usize(..12))
                    .map(|_| alphabet[random.usize(..alphabet.len())])
                    .collect();
                let mut encoded =
                    idna::punycode::encode_str(&text).unwrap_or_default().into_bytes();
                if random.bool() && !encoded.is_empty() {
                    let at = random.usize(..encoded.len());
                    encoded[at] = b"abz09-Q_"[random.usize(..8)];
                }
                String::from_utf8(encoded).expect("is ASCII")
            } else {
                let letters = b"abcdefghijklmnopqrstuvwxyz0123456789-Z._";
                (0..random.usize(..[3, 6, 20][round % 3]))
                    .map(|_| char::from(letters[random.usize(..letters.len())]))
                    .collect()
            };
            let expected = idna::punycode::decode_to_string(&encoded);
            decodable += usize::from(expected.is_some());
            assert_eq!(decoded(&encoded), expected, "{encoded}");
        }
        assert!(decodable > 50_000, "only {decodable}");
        for encoded in ["é-abc", "abcé", "-", "--", "a-", "-a", &"9".repeat(63), &"z".repeat(4000)]
        {
            assert_eq!(decoded(encoded), idna::punycode::decode_to_string(encoded), "{encoded}");
        }
    }
}
