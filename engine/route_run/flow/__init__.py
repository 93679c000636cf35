"""Pure decisions: what a request asks, what is planned, what a failure means, what happens next.

Start reading here: `request`, `decide`, `classify`, `machine`. Nothing in this room knows a clock,
randomness, the environment or a socket; all of them are arguments.
"""
