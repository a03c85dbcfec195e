"""The simulator's front: studies in files, runs on all CPUs, statistics, tables and plots.

The runs themselves are `crates/sim`, which decides with the same code as the gateway.
"""
