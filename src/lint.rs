//! `lint`: what is wrong with a rule set.
