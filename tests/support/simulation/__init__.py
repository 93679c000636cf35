"""A world of faults that one seed decides: endpoints, token endpoints, callers, clocks and a ledger.

`catalogue` names every kind of fault, `scenario` draws one world from a seed, `play` plays it against the real
engine in virtual time, `world` holds what happened, `laws` says what must hold whatever it was.
"""
