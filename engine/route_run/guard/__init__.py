"""Checks of prompts and answers: strings in, verdicts out."""

from route_run.guard.compile import compile_guards, compile_output_checks
from route_run.guard.early import EarlyCheck
from route_run.guard.output import OutputCheck
from route_run.guard.scanner import Action, Scanner, Verdict

__all__ = ["Action", "EarlyCheck", "OutputCheck", "Scanner", "Verdict", "compile_guards", "compile_output_checks"]
