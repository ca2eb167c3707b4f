"""Sharing: what others may see, links to a search page, keys for the embeddings service."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "shares",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("thing_id", sa.String(16), primary_key=True),
        sa.Column("way", sa.String(8), primary_key=True),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "demos",
        sa.Column("run_id", sa.String(16), primary_key=True),
        sa.Column("corpus_id", sa.String(16), nullable=False, index=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("token", sa.String(64), nullable=False, unique=True),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("used", sa.Double),
    )
