//! Rows about what the cluster does meanwhile.
