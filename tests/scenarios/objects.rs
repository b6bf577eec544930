//! Rows about single objects.
