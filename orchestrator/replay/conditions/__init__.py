"""Conditions over a history: a small language, read without running anything.

``parsing`` makes a condition of a text, or says what is wrong with it; ``conditions``
says whether one holds after a step.
"""
