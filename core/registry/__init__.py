"""The registry: homes with their devices and contacts, and the crews. The only writer of those tables.

`homes.import_homes` and `crews.import_crews` take files in; `reading.load_registry` gives the line what changed;
`address` words a home for a person. What a device says, and what is decided about it, is none of its business.
"""
