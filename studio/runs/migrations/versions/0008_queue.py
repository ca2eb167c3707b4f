"""The queue: where a run trains, what it is reckoned to need, what it may be put before, what was used, and its switch."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("runs", sa.Column("device", sa.String(16)))
    op.add_column("runs", sa.Column("wants", sa.String(8), nullable=False, server_default="gpu"))
    op.add_column("runs", sa.Column("memory_mb", sa.Double))
    op.add_column("runs", sa.Column("expected_s", sa.Double))
    op.add_column("runs", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "usage",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("device", sa.String(16), nullable=False),
        sa.Column("ended", sa.Double, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
    )
    op.create_table(
        "switches",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(32), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
    )
