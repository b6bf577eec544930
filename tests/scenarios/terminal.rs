//! Rows about what reaches a terminal or a file that should not.
