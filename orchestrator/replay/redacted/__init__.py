"""Redaction: the same history in other words.

``redaction`` decides about every text, ``pseudonyms`` keeps which word stands for it.
"""
