"""Timelines: what a history tells of each container, in order.

``telling`` makes them; ``happenings`` are their items, ``stretches`` what they are kept
as.
"""
