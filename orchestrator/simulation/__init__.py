"""A world made of values: a model platform, faults from a seed, virtual time. Pure.

| module | holds |
|---|---|
| ``dice`` | randomness as a value |
| ``characters`` | how the runs of a container live and end |
| ``plans``, ``profiles``, ``faults`` | what goes wrong, and how that is drawn |
| ``lives``, ``world`` | one run, and the platform |
| ``stage``, ``operators``, ``interpreting``, ``asking``, ``telling`` | virtual time, \
and the runtime made of values |
| ``runs`` | all of that, driven together |
| ``changes``, ``owners`` | what is done to a fleet meanwhile |
| ``settling`` | by when a fleet must be where it should be |
| ``moments_of``, ``chronicle``, ``rehearsals`` | what a run came to |
"""
