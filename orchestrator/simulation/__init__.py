"""A world made of values: a model platform, faults from a seed, virtual time. Pure.

``dice``: randomness as a value.  ``faults``: what may go wrong, drawn from a seed.
``world``: the platform as a value.  ``runs``: the fleet and the world driven through
virtual time, with the operator killed and the platform failing as the plan says.
"""
