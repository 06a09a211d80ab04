"""Documents: fetched from URLs with care, decoded, and read into pieces of text that know their place."""

from memcubed.documents.model import Document, DocumentType, Piece
from memcubed.documents.parser import DocumentParser, ParserLimits

__all__ = ["Document", "DocumentParser", "DocumentType", "ParserLimits", "Piece"]
