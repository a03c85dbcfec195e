"""The life of a configuration: load, validate, prepare, commit, record, watch."""
