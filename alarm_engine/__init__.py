"""Item -> decision. ``judgement`` is pure; around it the engine that acts, the ledger that makes it durable, the outbox to dispatch."""
