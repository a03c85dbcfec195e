"""Live: how proxies fare while replicas of the service behind them die, hang, break, slow down or drown.

Eight replicas, each a process with four workers, stand behind one proxy; a client sends requests of four
classes at fixed instants. The same seed gives every proxy the same requests at the same instants.
`python -m bench.live --help` says how to run it.
"""
