"""From a fleet file to a deployed gateway: what is written, what is checked.

``applications`` says what a fleet needs, ``plan`` how a project comes to it, ``files``
what it looks like; ``checks`` compares what is deployed with the fleet file.
"""
