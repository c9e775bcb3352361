"""A journal that Durable Objects hold, behind a gateway, for whichever operator leads.

``wire``: how the gateway is asked.  ``answers``: what it says, read and checked.
``fleets``: snapshots in parts.  ``cutting``: rows that go.  ``adapter``: the journal.
``source``: its rows, for a tool.  ``compaction``, ``imported`` and ``repair``: what
tools do to it.

Nothing that is read is trusted: rows are checked against the chain, fleets against
their checksums.
"""
