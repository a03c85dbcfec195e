"""The life of the process and of its configuration: load, validate, prepare, commit, record, watch, stop."""
