"""Pure decisions: what is a leak, which incident it opens, how a valve command lives. No driver, no clock, no randomness."""
