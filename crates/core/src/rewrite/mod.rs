//! Changing targets and header fields.
