"""What if: the recorded causes against another hypothesis, in virtual time.

``imagining`` asks; ``causes`` are taken from the record, ``playing`` drives the core
against them, ``assumptions`` is what had to be assumed.
"""
