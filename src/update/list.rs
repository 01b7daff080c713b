//! Names, one after another in one piece of memory.
//!
//! Owns the list that a batch carries and that a reader of frames writes into, and how what was
//! written is taken back. Knows nothing of where names come from.

/// Names as seen, in the order in which they came. The memory stays when they go.
#[derive(Clone, Debug, Default)]
pub struct NameList {
    /// Each name and a newline. A name may itself hold one: the ends decide.
    pub(super) bytes: Vec<u8>,
    /// Where each name ends in `bytes`, before its newline.
    ends: Vec<u32>,
}

/// A place in a list, to which it can be taken back.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    ends: usize,
}

impl NameList {
    /// How many names stand here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no name stands here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all names, a newline behind each.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the name at `index`, from 0. They are text: that is how they came.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 };
        &self.bytes[start..self.ends[index] as usize]
    }

    /// The bytes of all names.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Adds a name.
    #[inline]
    pub fn push(&mut self, name: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.end();
    }

    /// Ends a name whose bytes, which are text, have been written.
    #[inline]
    pub(super) fn end(&mut self) {
        // What a list is written from is bounded far below that, by the limit of frames.
        let end = u32::try_from(self.bytes.len()).expect("lists are bounded far below 4 GiB");
        self.ends.push(end);
        self.bytes.push(b'\n');
    }

    /// Where it ends now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), ends: self.ends.len() }
    }

    /// Takes back what was added since `mark`.
    pub fn take_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.ends.truncate(mark.ends);
    }

    /// Takes all names out, and keeps memory for about `kept` bytes of them.
    pub fn clear(&mut self, kept: usize) {
        self.bytes.clear();
        self.ends.clear();
        if self.bytes.capacity() > kept {
            self.bytes.shrink_to(kept);
        }
        // Of an empty name an end is four times as much.
        if self.ends.capacity() > kept {
            self.ends.shrink_to(kept);
        }
    }
}
