"""The operator: the loop, the interpreter, recovery. The only place that opens an IO.

``operator``: the face of an embedding program.  ``loop``: one writer, durable first,
then act.  ``interpreter``: commands to the platform, outcomes to events.
``recovery``, ``snapshots``: the fleet out of its journal, and into it.  ``reads``,
``views``, ``travel``: the fleet shown, now and at any place of its past.  ``timers``,
``clock``: when to wake.
``environment``, ``secrets``: what a container is started with.  ``hooks``: what the
owner wants to be told.  ``outcomes``: opening what an operation answers.
"""
