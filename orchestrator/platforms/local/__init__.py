"""Containers as processes of this machine, each held by a shim of its own.

``shim/``: the program that holds one run, standard library only.  ``folders``: where
everything is.  ``records``: what the shims wrote, read back.  ``ports``: free loopback
ports, kept.  ``spawn``: launching a shim, and ending what a dead one left behind.
``asking``: whether one is well; ``check_commands``: by a command beside it.
``platform``: the adapter of the platform port.
"""
