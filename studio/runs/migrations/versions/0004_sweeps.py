"""Sweeps: several settings tried in turn; and which run is a trial of which."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("dataset_id", sa.String(16), nullable=False),
        sa.Column("dataset_name", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
    )
    op.add_column("runs", sa.Column("sweep_id", sa.String(16)))
    op.add_column("runs", sa.Column("trial", sa.Integer))
    op.create_index("ix_runs_sweep_id", "runs", ["sweep_id"])
