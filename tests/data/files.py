"""Documents that tests make: real PDFs by PDFium, Word files by python-docx."""

import base64
import ctypes
import zlib
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from pypdfium2 import raw

LINE = tuple[str, float]
"""(text, size of its letters); a gap above it where the text begins with a line feed. Sizes below zero are bold."""


def make_pdf(path: Path, pages: Sequence[Sequence[LINE]], pitch: float = 1.3) -> Path:
    pdf = pypdfium2.PdfDocument.new()
    for lines in pages:
        page = pdf.new_page(595, 842)
        top = 800.0
        for text, size in lines:
            bold, size = size < 0, abs(size)
            top -= size * pitch * (2.2 if text.startswith("\n") else 1)
            _write(pdf, page, text.strip("\n"), size, 60, top, bold)
        page.gen_content()
    pdf.save(path)
    return path


def _write(pdf, page, text: str, size: float, left: float, bottom: float, bold: bool) -> None:
    font = raw.FPDFText_LoadStandardFont(pdf, b"Helvetica-Bold" if bold else b"Helvetica")
    letters = raw.FPDFPageObj_CreateTextObj(pdf, font, size)
    encoded = (text + "\0").encode("utf-16-le")
    raw.FPDFText_SetText(letters, ctypes.cast(encoded, raw.FPDF_WIDESTRING))
    raw.FPDFPageObj_Transform(letters, 1, 0, 0, 1, left, bottom)
    raw.FPDFPage_InsertObject(page, letters)


def make_docx(path: Path) -> Path:
    import docx

    document = docx.Document()
    document.add_heading("Travel policy", 0)
    document.add_paragraph("This policy holds for everyone who travels for the company.")
    document.add_heading("Trains", 1)
    document.add_paragraph("Trains are booked in second class unless the journey is longer than four hours.")
    document.add_heading("Who pays?", 2)
    document.add_paragraph("The department that sends you.")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text = "Berlin to Hamburg takes two hours by train."
    table.cell(0, 1).text = "Berlin to Munich takes four hours by train."
    document.save(str(path))
    return path


LOCKED_PDF = (
    "eNqNUctu1DAU3fsr7maW1O+XFM2CtiMhQB1NCxvUhWNfD0GjpMp4pJafZMEfwI/gBCgRwwIrlpx7zznXPme1vdq84BeSrL59//KVcGAwtJ9I0x"
    "C6HYd0ijhCE7R2bRI+qTVZrwn2acKIBfbu6QGBbsMej4ReDqe+ACf0dZeO8AFUBe7gfkGVZ9TLUMJh2JOfGjBp7xYE9c9ZhO7wOJzGWBm1U+H0"
    "LaYuvBwe61h2weZtxfTdT9Ij1ov9ra0X2u9BVFGQhL7Bfl8+AheuEkEJr7yxwtf2pjuU6gq9LaFPYUyE3kDDUIva1UGiQmdVlDGH2GLWnAcrQ1"
    "QYRZuc0SkmmZQR1nDluQ1tTharsfRdNdpFw0U2QSSBqHwrpLcuKyllbJ1rhWuzQl1HWO2C4kYxVv9NzjkwztwynscRM2FgCHteYLSWGjI813h9"
    "/Nzp/9S0P6tx7s5rxp7VxJJbxtAdcJx9ve0+Y70K3Q1DATkHQF/1eQD+63xVA2umpzuZWy5Q++yNZ1FzJTIymaVOuP4fSA36uo/j00MB/TvpYw"
    "ljmQ1RVpHV6vpmQ34ABrvDkQ=="
)


def locked_pdf(path: Path) -> Path:
    """An empty page behind a password: PDFium can read such files and not write them."""
    path.write_bytes(zlib.decompress(base64.b64decode(LOCKED_PDF)))
    return path
