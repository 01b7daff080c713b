//! Vectorscan (`libvectorscan-dev`), as far as the comparison needs it. No part of the product.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;

const SUCCESS: c_int = 0;
const MODE_BLOCK: c_uint = 1;
const FLAG_CASELESS: c_uint = 1;
const FLAG_MULTILINE: c_uint = 4;
const FLAG_SINGLEMATCH: c_uint = 8;

#[repr(C)]
struct CompileError {
    message: *mut c_char,
    expression: c_int,
}

type OnMatch = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

#[link(name = "hs")]
unsafe extern "C" {
    fn hs_compile_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        database: *mut *mut c_void,
        error: *mut *mut CompileError,
    ) -> c_int;
    fn hs_free_compile_error(error: *mut CompileError) -> c_int;
    fn hs_alloc_scratch(database: *const c_void, scratch: *mut *mut c_void) -> c_int;
    fn hs_scan(
        database: *const c_void,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        on_match: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_free_scratch(scratch: *mut c_void) -> c_int;
    fn hs_free_database(database: *mut c_void) -> c_int;
}

/// Patterns compiled for blocks, and the space to scan one.
pub struct Database {
    database: *mut c_void,
    scratch: *mut c_void,
}

impl Database {
    /// Compiles patterns to be searched line by line in a block, each match told.
    pub fn multiline(patterns: &[&str]) -> Self {
        Self::compile(patterns, FLAG_MULTILINE)
    }

    /// Compiles patterns to be searched in one domain, each told once.
    pub fn single(patterns: &[&str]) -> Self {
        Self::compile(patterns, FLAG_SINGLEMATCH)
    }

    fn compile(patterns: &[&str], flags: c_uint) -> Self {
        let written: Vec<CString> =
            patterns.iter().map(|pattern| CString::new(*pattern).expect("no NUL")).collect();
        let expressions: Vec<*const c_char> = written.iter().map(|text| text.as_ptr()).collect();
        // Domains are in lower case, so only patterns that are not need the slower flag.
        let flags: Vec<c_uint> = patterns
            .iter()
            .map(|p| flags | if p.contains(|c: char| c.is_uppercase()) { FLAG_CASELESS } else { 0 })
            .collect();
        let ids: Vec<c_uint> = (0..patterns.len() as c_uint).collect();
        let mut made = Self { database: ptr::null_mut(), scratch: ptr::null_mut() };
        let mut error: *mut CompileError = ptr::null_mut();
        // SAFETY: the three arrays have `elements` members and outlive the call; the strings end
        // in NUL; no platform means this one.
        let compiled = unsafe {
            hs_compile_multi(
                expressions.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                patterns.len() as c_uint,
                MODE_BLOCK,
                ptr::null(),
                &raw mut made.database,
                &raw mut error,
            )
        };
        if compiled != SUCCESS {
            // SAFETY: after a failure `error` points to an error with a message that ends in NUL.
            let (text, which) =
                unsafe { (CStr::from_ptr((*error).message).to_owned(), (*error).expression) };
            // SAFETY: it was allocated by the compiler and is not used again.
            unsafe { hs_free_compile_error(error) };
            panic!("pattern {which}: {}", text.to_string_lossy());
        }
        // SAFETY: the database was compiled, and there is no scratch space yet.
        let allocated = unsafe { hs_alloc_scratch(made.database, &raw mut made.scratch) };
        assert_eq!(allocated, SUCCESS, "no scratch space");
        made
    }

    /// Adds each match to `events`: the pattern, and where it ends.
    pub fn scan(&mut self, text: &str, events: &mut Vec<(u32, u32)>) {
        extern "C" fn on_match(
            id: c_uint,
            _from: c_ulonglong,
            to: c_ulonglong,
            _flags: c_uint,
            context: *mut c_void,
        ) -> c_int {
            // SAFETY: `scan` passes its exclusive `events`, and nothing else uses it meanwhile.
            let events = unsafe { &mut *context.cast::<Vec<(u32, u32)>>() };
            events.push((id, to as u32));
            0
        }
        // SAFETY: the text outlives the call, the scratch space was made for this database and is
        // in use by no other scan, and the context is what `on_match` takes it for.
        let scanned = unsafe {
            hs_scan(
                self.database,
                text.as_ptr().cast(),
                text.len() as c_uint,
                0,
                self.scratch,
                on_match,
                ptr::from_mut(events).cast(),
            )
        };
        assert_eq!(scanned, SUCCESS, "the scan failed");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: both came from the library, or are null, which it takes; neither is used again.
        unsafe {
            hs_free_scratch(self.scratch);
            hs_free_database(self.database);
        }
    }
}
