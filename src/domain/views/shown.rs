//! What a character is in a Unicode form and what it looks like there, remembered.
//!
//! Owns the memory only: a script has few letters and a stream few scripts, while to find out what
//! a letter looks like takes longer than to decode the label it stands in.

use super::{look_alike, lower_case};

/// Characters remembered, as a power of two: the letters of some alphabets and the commoner signs.
/// Where two want one slot, the later has it.
const SLOTS: usize = 1024;
/// Bytes of either form that a slot has space for; few characters become more.
const SPACE: usize = 14;
/// Characters of which is remembered whether they stay as they are, one bit each: ideographs and
/// syllables do, and are too many for the slots.
const PLANE: usize = 0x1_0000;

/// The characters met so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// None before the first character; so the rest.
    slots: Vec<Slot>,
    /// By character: whether it is known to be the same in both forms.
    stay: Vec<u64>,
}

/// One character's forms.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// NUL, which is ASCII and so never asked for, where nothing is remembered.
    character: char,
    unicode: Text,
    look_alike: Text,
}

/// A short text.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// Of one character, as most.
    One(char),
    Few {
        length: u8,
        bytes: [u8; SPACE],
    },
}

impl Default for Text {
    fn default() -> Self {
        Self::Few { length: 0, bytes: [0; SPACE] }
    }
}

impl Text {
    /// None where the text is too long.
    fn new(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        if let (Some(one), None) = (chars.next(), chars.next()) {
            return Some(Self::One(one));
        }
        let mut bytes = [0; SPACE];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self::Few { length: text.len() as u8, bytes })
    }

    #[inline]
    fn append_to(&self, out: &mut String) {
        match self {
            Self::One(one) => out.push(*one),
            Self::Few { length, bytes } => {
                out.push_str(str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default());
            }
        }
    }
}

impl Shown {
    /// Appends `c`, which is not ASCII, in its two forms.
    pub(super) fn push(&mut self, c: char, unicode: &mut String, alike: &mut String) {
        let (word, bit) = (c as usize / 64, 1 << (c as usize % 64));
        if self.stay.get(word).is_some_and(|word| word & bit != 0) {
            unicode.push(c);
            alike.push(c);
            return;
        }
        let at = c as usize % SLOTS;
        if let Some(slot) = self.slots.get(at)
            && slot.character == c
        {
            slot.unicode.append_to(unicode);
            slot.look_alike.append_to(alike);
            return;
        }
        let starts = (unicode.len(), alike.len());
        unicode.extend(lower_case(c));
        look_alike::write(&unicode[starts.0..], alike);
        self.slots.resize(SLOTS, Slot::default());
        self.stay.resize(PLANE / 64, 0);
        let (unicode, alike) = (&unicode[starts.0..], &alike[starts.1..]);
        if let Some(word) = self.stay.get_mut(word)
            && unicode == alike
            && unicode.chars().eq([c])
        {
            *word |= bit;
        } else if let Some((unicode, look_alike)) = Text::new(unicode).zip(Text::new(alike)) {
            self.slots[at] = Slot { character: c, unicode, look_alike };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_made() {
        let mut shown = Shown::default();
        // Each twice, with others that want its slot between; the last becomes long.
        let chars = ['é', 'а', 'İ', '\u{17f}', 'é', '例', '\u{4e9}', '\u{e9}', '\u{fdfa}'];
        for c in chars.iter().chain(&chars).chain(&chars) {
            let (mut unicode, mut alike) = ("x".to_owned(), String::new());
            shown.push(*c, &mut unicode, &mut alike);
            let lower: String = lower_case(*c).collect();
            let mut expected = String::new();
            look_alike::write(&lower, &mut expected);
            assert_eq!((unicode, alike), (format!("x{lower}"), expected), "{c}");
        }
    }
}
