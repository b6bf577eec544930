//! Rows about what a stack and its files say.
