//! Rows about the files of a state.
