"""Studies of what caches keep: which policy misses least.

The policies are those of `crates/core/src/cache/evict`; `crates/sim/src/cache` runs them.
"""
