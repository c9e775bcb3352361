"""A journal folded again: the states it went through, and whether it still would.

``history``: rows with their meaning, folded to any place.  ``verify``: the first place
where today's code decides otherwise.  Pure: what reads a disk is the journal.
"""
