//! The look-alike form: what a reader takes a Unicode form for.
//!
//! Owns the way from a character to the plain one it looks like: UTS 39's prototypes, and a small
//! table for what they leave. Character by character and never the UTS-39 skeleton of a whole
//! name, which turns every `m` into `rn` and keeps accents.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_security::skeleton;

/// Appends the look-alike form of `unicode` to `out`: decomposed, without combining marks; ASCII
/// as it is, every other character as its prototype, in ASCII lower case.
pub(super) fn write(unicode: &str, out: &mut String) {
    for c in unicode.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            // Normal form would put the marks in order, but none of them stays.
            decompose_canonical(c, |part| write_part(part, out));
        }
    }
}

/// Appends what a character of the decomposed form looks like.
fn write_part(c: char, out: &mut String) {
    match own(c) {
        Some(plain) => out.push(plain),
        None if c.is_ascii() => out.push(c.to_ascii_lowercase()),
        None if is_combining_mark(c) => {}
        None => write_prototype(c, out),
    }
}

fn write_prototype(c: char, out: &mut String) {
    let mut encoded = [0; 4];
    // Of a character that is not visible, as a zero-width joiner, nothing is left.
    let mut prototype = skeleton(c.encode_utf8(&mut encoded)).peekable();
    if prototype.next_if_eq(&'r').is_some() {
        // Everything that looks like an m has the prototype rn.
        out.push(if prototype.next_if_eq(&'n').is_some() { 'm' } else { 'r' });
    }
    // A line end would part the form in two.
    let shown = prototype.filter(|c| !is_combining_mark(*c) && *c != '\n');
    out.extend(shown.map(|c| own(c).unwrap_or(c.to_ascii_lowercase())));
}

/// The ASCII character that a reader takes `c` for where UTS 39 leaves `c` as it is: small
/// capitals (which are the prototypes of Cyrillic and Greek letters, too), hooks, strokes and
/// tails that no decomposition takes off, and Greek letters. What is taken for two stays.
fn own(c: char) -> Option<char> {
    Some(match c {
        'ᴀ' | 'ɐ' | 'ɒ' | 'ⱥ' | 'ᶏ' => 'a',
        'ʙ' | 'ƅ' | 'ß' | 'ъ' | 'ᵬ' | 'ᶀ' | 'ꞗ' => 'b',
        'ƈ' | 'ɕ' | 'ꞔ' => 'c',
        'ᴅ' | 'ȡ' | 'ð' | 'ᵭ' | 'ᶁ' | 'ᶑ' => 'd',
        'ᴇ' | 'ꞓ' | 'ɘ' | 'ⱸ' | 'ᶒ' => 'e',
        'ꜰ' | 'ᶂ' => 'f',
        'ɢ' | 'ᵹ' | 'ꞡ' => 'g',
        'ʜ' | 'ɧ' | 'ⱨ' | 'ꜧ' => 'h',
        'ᶖ' => 'i',
        'ᴊ' | 'ʝ' | 'ʄ' => 'j',
        'ĸ' | 'ⱪ' | 'ᶄ' | 'ҟ' | 'ҝ' | 'ҡ' | 'ӄ' | 'ꝁ' | 'ꝃ' | 'ꝅ' | 'ꞣ' => 'k',
        'ʟ' | 'ŀ' | 'ȴ' | 'ɬ' | 'ⱡ' | 'ᴌ' | 'ᶅ' | 'ꝉ' => 'l',
        'ʍ' | 'ᶆ' => 'm',
        'ɴ' | 'ȵ' | 'π' | 'ᶇ' | 'ꞑ' | 'ꞥ' => 'n',
        'ᴘ' | 'ᵱ' | 'ᶈ' | 'ҏ' | 'ꝑ' | 'ꝓ' | 'ꝕ' => 'p',
        'ɋ' | 'ꝗ' | 'ꝙ' | 'ꞯ' => 'q',
        'ʀ' | 'ɾ' | 'ᵳ' | 'ᶉ' | 'ꝛ' | 'ꞃ' | 'ꞧ' => 'r',
        'ꜱ' | 'ȿ' | 'ᶊ' | 'ꞅ' | 'ꞩ' => 's',
        'ᴛ' | 'ȶ' | 'ʈ' | 'ⱦ' | 'ꞇ' => 't',
        'μ' | 'ʉ' | 'ᶙ' => 'u',
        'ⱱ' | 'ⱴ' | 'ꝟ' => 'v',
        'ω' | 'ⱳ' => 'w',
        'χ' | 'ᶍ' | 'ҳ' => 'x',
        'ʎ' | 'ỿ' => 'y',
        'ɀ' | 'ʑ' | 'ᶎ' => 'z',
        'ɜ' | 'ȝ' => '3',
        'ƽ' => '5',
        // UTS 39 has one for the other.
        'ǝ' | 'ə' => super::views::EITHER,
        _ => return None,
    })
}
