"""The append-only log of events, the only thing that has to survive.

``port``: what a journal is.  ``memory``: for tests and simulations.  ``sqlite``: the
default, on disk.  ``jsonl`` writes exports, ``lines`` reads them, ``reading`` reads all
kinds as a stream.  ``head`` and ``lock`` guard a journal on disk: against a missing
tail, and against a second writer.  ``compaction`` cuts a journal short, ``repair``
parts what is whole from a damaged rest.

A journal moves bytes. What is in them is the codec's matter; that they are whole, in
order and durable is the journal's.
"""
