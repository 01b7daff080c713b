//! The recorder: frames written to a capture.
