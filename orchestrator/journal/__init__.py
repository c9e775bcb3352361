"""The append-only log of events, the only thing that has to survive.

``port``: what a journal is.  ``memory``: for tests and simulations.  ``sqlite``: the
default, on disk.  ``jsonl``: export and import.  ``head`` and ``lock`` guard a journal
on disk: against a missing tail, and against a second writer.

A journal moves bytes. What is in them is the codec's matter; that they are whole, in
order and durable is the journal's.
"""
