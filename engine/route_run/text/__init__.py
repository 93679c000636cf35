"""The only reader of policy files: folders in, documents with positions and findings out."""

from route_run.text.document import Document, Kind, Marks
from route_run.text.folder import NamedFile, Reading, read_folders, read_named_file
from route_run.text.parse import Limits, parse

__all__ = [
    "Document",
    "Kind",
    "Limits",
    "Marks",
    "NamedFile",
    "Reading",
    "parse",
    "read_folders",
    "read_named_file",
]
