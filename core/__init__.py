"""The shared language of the stations: units, ids, messages, topics, errors, clock. Imports nobody."""
