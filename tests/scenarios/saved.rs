//! Rows about saved plans.
