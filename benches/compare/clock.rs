//! The processor time of this thread: on a machine that others use too, the clock on the wall
//! measures them.

use std::ffi::{c_int, c_long};
use std::time::Duration;

const CLOCK_THREAD_CPUTIME_ID: c_int = 3;

#[repr(C)]
#[derive(Default)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
}

/// How long this thread has run so far.
pub fn thread_time() -> Duration {
    let mut time = TimeSpec::default();
    // SAFETY: `time` is laid out as a `timespec` of 64-bit Linux and written only in the call.
    let told = unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(told, 0, "no such clock");
    Duration::new(time.seconds as u64, time.nanoseconds as u32)
}
