"""The only reader of policy files: folders in, documents with positions and findings out."""

from route_run.text.comments import Comment, comments_of
from route_run.text.document import Document, Kind, Marks
from route_run.text.folder import NamedFile, Reading, read_folders, read_named_file
from route_run.text.parse import Limits, parse

__all__ = [
    "Comment",
    "Document",
    "Kind",
    "Limits",
    "Marks",
    "NamedFile",
    "Reading",
    "comments_of",
    "parse",
    "read_folders",
    "read_named_file",
]
