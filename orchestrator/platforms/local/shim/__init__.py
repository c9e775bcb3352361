"""The shim: holds one run of one container, and outlives the operator.

Started isolated (``python -I -S``), standard library only, in a session of its own.
It reads the order (words, environment, limits) from its standard input, puts none of
it on the disk, and leaves records in the folder of the run.

* The pipe ``control`` has a reader as long as the shim lives: whoever can open it for
  writing knows that it is this shim, without trusting a process number. A line in it
  asks to stop: signal, then grace, then SIGKILL.
* A lock lets one shim hold the run, however often it is launched.
* On Linux it is a child subreaper: whatever the container leaves behind, also what
  called ``setsid``, becomes its child and ends with the run.
* The room for ``ended.json`` is taken at the start: a full disk cannot lose it.
"""
