"""The domain: what a fleet is, what may happen to it, and what is decided. Pure.

Nothing here reads a clock, the disk, the environment or a source of randomness;
time arrives inside each event. The floors, lowest first::

    names  moments  table  templates      words, time, the persistent map
    errors  exits  policies  specs        ways to fail, to end, to restart; what to run
    phases                                where one container is
    commands  requests  observations      what to do, what was asked, what was seen
    events  state                         what happened, what is believed
    decide  wake  invariants              the policy, the next moment, the promises
    advance                               one container, one event
    admit  reduce  explain                the fleet
"""
