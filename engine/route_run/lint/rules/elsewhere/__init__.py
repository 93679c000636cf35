"""Rules that are checked elsewhere, by loading or by what reads suppressions: here are their pages alone.

They stand apart so that lint does not import what it does not run.
"""
