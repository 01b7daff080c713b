//! Which cores a thread may run on.
//!
//! Owns the list of cores as `taskset -c` writes it, and the asking of the kernel. Who is pinned
//! where is `config`'s and `pipeline`'s business.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Cores, by the kernel's numbers. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreList(Vec<usize>);

/// Which threads may run where; where nothing is said, the kernel decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// The feeds, with the threads that fetch and unpack for them, and the healer.
    pub feeds: Option<CoreList>,
    /// The matchers.
    pub matchers: Option<CoreList>,
    /// The writer.
    pub writer: Option<CoreList>,
}

impl CoreList {
    /// Reads a list such as `0,2-3,8-14:2`: cores, spans of them, and spans with a step.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut cores = Vec::new();
        for part in text.split(',') {
            let (span, step) = match part.split_once(':') {
                Some((span, step)) => (span, number(step).filter(|step| *step > 0)?),
                None => (part, 1),
            };
            let (first, last) = match span.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(span)?, number(span)?),
            };
            if first > last || last >= CpuSet::MAX_CPU {
                return None;
            }
            cores.extend((first..=last).step_by(step));
        }
        cores.sort_unstable();
        cores.dedup();
        Some(Self(cores))
    }

    /// Those of them that this program may not run on: the machine does not have them, or
    /// somebody keeps it away from them.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn unusable(&self) -> io::Result<Vec<usize>> {
        let usable = sched_getaffinity(None)?;
        Ok(self.0.iter().copied().filter(|core| !usable.is_set(*core)).collect())
    }

    /// Keeps this thread, and those it starts from here on, to these cores.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn keep_this_thread(&self) -> io::Result<()> {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|core| set.set(*core));
        Ok(sched_setaffinity(None, &set)?)
    }
}

/// Digits only: no sign, no space.
fn number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_taskset_writes_them() {
        for (text, cores) in [
            ("0", &[0][..]),
            ("3,1", &[1, 3]),
            ("0-2,2,7", &[0, 1, 2, 7]),
            ("8-14:2", &[8, 10, 12, 14]),
            ("0-1:5", &[0]),
        ] {
            assert_eq!(CoreList::parse(text), Some(CoreList(cores.to_vec())), "{text}");
        }
        for text in
            ["", ",", "a", "-1", "2-1", "1-", "0-3:0", "0:", "+1", " 1", "1024", "0-99999999"]
        {
            assert_eq!(CoreList::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_thread_and_those_it_starts_stay_on_their_cores() {
        let usable = sched_getaffinity(None).expect("the kernel tells");
        let core = (0..CpuSet::MAX_CPU).find(|core| usable.is_set(*core)).expect("one at least");
        let list = CoreList(vec![core]);
        assert_eq!(list.unusable().expect("the kernel tells"), Vec::<usize>::new());
        let inherited = std::thread::spawn(move || {
            list.keep_this_thread().expect("allowed");
            std::thread::spawn(|| sched_getaffinity(None)).join().expect("ends")
        });
        let inherited = inherited.join().expect("ends").expect("the kernel tells");
        assert!(inherited.is_set(core) && inherited.count() == 1);
    }

    #[test]
    fn cores_that_are_not_there_are_told() {
        let list = CoreList(vec![CpuSet::MAX_CPU - 1]);
        assert_eq!(list.unusable().expect("the kernel tells"), [CpuSet::MAX_CPU - 1]);
    }
}
