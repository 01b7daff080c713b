//! `explain`: which rules hit a name, and why.
