"""Reports as CI systems read them: workflow commands, JUnit's XML. Knows their notation, not what is reported."""

from route_run.ci.junit import Case, Failure, Suite, document
from route_run.ci.printable import printable
from route_run.ci.workflow import command

__all__ = ["Case", "Failure", "Suite", "command", "document", "printable"]
