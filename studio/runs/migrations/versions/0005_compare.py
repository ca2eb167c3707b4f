"""Tags and notes of runs; runs and datasets that were deleted and can be brought back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("tags", "notes"):
        op.add_column("runs", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for table in ("runs", "datasets"):
        op.add_column(table, sa.Column("deleted", sa.Double))
