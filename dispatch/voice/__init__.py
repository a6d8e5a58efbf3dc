"""The telephone: a worker process that speaks SIP, and the client through which dispatch uses it.

Dispatch decides whom to call and what to say; this package only rings, speaks, listens for keys and reports how a call ended.
"""
