"""Rows on disk: batches of text columns become one table whose large part lies in an unnamed, mapped file, not in memory.

The file has no name: it is gone when the table is, however the process ends. It lies where ``TMPDIR`` says, for a server in
its workspace.
"""

import mmap
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from studio.data.cells import as_lists
from studio.errors import DataError, HostError

IN_MEMORY_BYTES = 32_000_000
"""Smaller tables need no file."""
BATCH = 20_000
BATCH_BYTES = 16_000_000
"""Of a batch; smaller ones are put together."""
MAX_MB = 4_096
"""More than this is not read, whatever it was packed into."""

_mapped: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()


class Spool:
    """Takes batches of columns, in the order of the rows; columns may come later than others or turn into lists."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._bytes = 0
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._file = None
        self._schema: pa.Schema | None = None
        self.rows = 0

    def add(self, columns: Mapping[str, pa.Array]) -> None:
        """The next rows. Every column is a string or a list of strings."""
        batch = pa.table(dict(columns))
        if self._waiting and batch.schema != self._waiting[0].schema:
            self._store()
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self.rows += len(batch)
        if self._waiting_bytes >= BATCH_BYTES or sum(map(len, self._waiting)) >= BATCH:
            self._store()

    def finish(self) -> pa.Table:
        """All rows as one table; what is missing in a batch is null."""
        self._store()
        self._close()
        if len(self._parts) == 1:
            return self._parts[0]
        kinds: dict[str, pa.DataType] = {}
        for part in self._parts:
            for field in part.schema:
                if field.name not in kinds or pa.types.is_list(field.type):
                    kinds[field.name] = field.type
        columns = {
            name: pa.chunked_array([c for part in self._parts for c in _chunks(part, name, kind)], kind)
            for name, kind in kinds.items()
        }
        return pa.table(columns)

    def _store(self) -> None:
        if not self._waiting:
            return
        batch = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._waiting_bytes = [], 0
        self._bytes += batch.nbytes
        if self._bytes > MAX_MB * 1_000_000:
            raise DataError(
                f"The table has more than {MAX_MB:,} MB of text, which is more than can be read.",
                hint="Split it, or keep only the columns that matter.",
            )
        if self._bytes < IN_MEMORY_BYTES:
            self._parts.append(batch)
            if len(self._parts) > 1 and self._parts[-2].schema == batch.schema:
                self._parts[-2:] = [pa.concat_tables(self._parts[-2:])]
            return
        if batch.schema != self._schema:
            self._close()
            self._schema = batch.schema
            self._file = tempfile.TemporaryFile(prefix="sentence-studio-")  # noqa: SIM115
            self._writer = pa.ipc.new_file(pa.PythonFile(self._file, "w"), batch.schema)
        try:
            self._writer.write_table(batch)
        except OSError as error:
            raise HostError(
                "The disk is too full for the rows of this table.", hint="Make room on the disk."
            ) from error

    def _close(self) -> None:
        """What is in the file becomes a part of the table."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.flush()
        pages = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._file.close()
        _mapped.add(pages)
        part = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(pages))).read_all()
        self._writer = self._file = self._schema = None
        if self._parts and self._parts[-1].schema == part.schema:
            part = pa.concat_tables([self._parts.pop(), part])
        self._parts.append(part)


def spooled(chunks: Iterable[pa.Array]) -> pa.ChunkedArray:
    """A column out of parts that are made one at a time; on disk when it is long."""
    spool = Spool()
    for chunk in chunks:
        spool.add({"": chunk})
        release()
    return spool.finish()[""] if spool.rows else pa.chunked_array([], pa.string())


def kept(table: pa.Table, mask: np.ndarray) -> pa.Table:
    """The rows under a mask; on disk when they are many."""
    if mask.all():
        return table if len(table) > BATCH else table.combine_chunks()
    if table.nbytes < IN_MEMORY_BYTES:
        return table.filter(pa.array(mask)).combine_chunks()
    spool, start = Spool(), 0
    for batch in batches(table):
        rows = batch.filter(pa.array(mask[start : start + len(batch)]))
        spool.add(dict(zip(rows.schema.names, rows.columns, strict=True)))
        start += len(batch)
    return spool.finish() if spool.rows else table.slice(0, 0)


def batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """Rows some thousands at a time, in order; pages that were read for one batch are given back before the next."""
    for batch in table.to_batches(max_chunksize=BATCH):
        yield batch
        release()


def release() -> None:
    """Give back the memory of pages that were read from files; who reads them again gets them from the disk's cache."""
    for pages in list(_mapped):
        pages.madvise(mmap.MADV_DONTNEED)
    pa.default_memory_pool().release_unused()


def _chunks(part: pa.Table, name: str, kind: pa.DataType) -> list[pa.Array]:
    """A column of a part, as the type that it has in the whole table."""
    if name not in part.column_names:
        return [pa.nulls(len(part), kind)]
    column = part[name]
    if column.type == kind:
        return column.chunks
    return [as_lists(chunk) for chunk in column.chunks]
