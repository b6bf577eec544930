//! Rows about the end of the process, and two at once.
