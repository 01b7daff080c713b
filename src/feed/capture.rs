//! Captures: recorded frames read from files or stdin.
