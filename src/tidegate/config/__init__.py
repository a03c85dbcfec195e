"""The configuration: read from files, checked with every mistake named, turned into the engine's plan."""
