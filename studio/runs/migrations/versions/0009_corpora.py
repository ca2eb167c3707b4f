"""Corpora: when an index was last used; searches, marks on hits, and votes between two columns."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("indexes", sa.Column("used", sa.Double))
    op.create_table(
        "searches",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column(
            "corpus_id", sa.String(16), sa.ForeignKey("corpora.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "marks",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("corpus_id", sa.String(16), nullable=False, index=True),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("key", sa.String(24), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
        sa.Column("above", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "votes",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column(
            "corpus_id", sa.String(16), sa.ForeignKey("corpora.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("left", sa.String(200), nullable=False),
        sa.Column("right", sa.String(200), nullable=False),
        sa.Column("better", sa.String(200)),
        sa.Column("created", sa.Double, nullable=False),
    )
