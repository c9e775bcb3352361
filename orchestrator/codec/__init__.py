"""Bytes to values and back: the journal's JSON, the owner's TOML. Strict.

``wire``: what is persisted, as canonical JSON.  ``fleet_file``: the TOML fleet file.
``schema``: versions of what is persisted, and the way up from older ones.
``digests``: the chain over the journal's rows.  ``converter`` and ``problems`` are the
machinery: hooks for cattrs, and its exceptions told as problems with a place.
"""
