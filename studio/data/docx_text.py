"""A Word document (.docx) as a document: its styles say what is a title and what a heading."""

import re
import zipfile
from pathlib import Path

from studio.data.archive import refuse_bomb
from studio.data.outline import Document, Outline
from studio.errors import DataError

HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
MAX_XML_MB = 100
"""All of it is held in memory, some ten times as large."""
BROKEN = "is broken or no Word document"


def read_docx(path: Path, name: str) -> Document:
    """Raises DataError, in the middle of a sentence after the file's name."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from docx.table import Table

    try:
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(archive, path, whole=True)
            size = sum(info.file_size for info in archive.infolist() if info.filename.endswith((".xml", ".rels")))
            if size > MAX_XML_MB * 1_000_000:
                raise DataError(f"has more than {MAX_XML_MB} MB of text and structure in it")
        source = docx.Document(str(path))
        outline = Outline()
        title = ""
        for block in source.iter_inner_content():
            if isinstance(block, Table):
                for cell in dict.fromkeys(cell for row in block.rows for cell in row.cells):
                    outline.paragraph(cell.text)
                continue
            style = block.style.name if block.style is not None else ""
            found = HEADING.match(style or "")
            if found:
                outline.heading(int(found[1]), block.text)
            elif style == "Title" and not title:
                title = block.text
            else:
                outline.paragraph(block.text)
    except (
        zipfile.BadZipFile,
        PackageNotFoundError,
        KeyError,
        ValueError,
        AttributeError,
        OSError,
        SyntaxError,
    ) as error:
        raise DataError(BROKEN) from error
    return outline.document(name, "docx", title or source.core_properties.title)
