"""For those who test: strategies that draw what the core knows.

``strategies``: Hypothesis strategies, plural nouns, valid by construction, names and
runs from small pools so that what is drawn is related.
"""
