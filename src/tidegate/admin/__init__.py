"""The admin API: the running gateway as HTTP resources, on a port of its own."""
