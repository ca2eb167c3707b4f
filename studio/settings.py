"""The only reader of the environment: ``STUDIO_HOST``, ``STUDIO_PORT``, ``STUDIO_WORKSPACE`` and so on."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
ASSETS = REPOSITORY / "assets"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Settings(BaseSettings):
    """Settings of one server. Each can be given as an environment variable ``STUDIO_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="STUDIO_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(7860, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    allowed_hosts: str = Field(
        "", description="More host names that the server answers to, separated by commas, e.g. behind a proxy."
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path under which a proxy in front serves the studio, e.g. /studio; the proxy strips it.",
    )
    accounts: Literal["auto", "required", "open"] = Field(
        "auto",
        description="Who may come in. auto: people sign in when the server listens beyond this machine; required: always; "
        "open: whoever reaches it uses it.",
    )
    proxy_header: str = Field(
        "",
        description="Header in which a proxy in front says who somebody is, e.g. X-Forwarded-User; believed only from "
        "the addresses in STUDIO_PROXIES.",
    )
    proxies: str = Field("127.0.0.1,::1", description="Addresses of that proxy, separated by commas.")
    oidc_issuer: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Address of an OpenID Connect provider that says who people are; empty: off.",
    )
    oidc_client_id: str = Field("", description="What the provider calls this studio.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Its secret there; never logged or shown.")
    oidc_name: str = Field(
        "preferred_username", description="Claim that becomes the name of the account: one that people cannot change."
    )
    oidc_label: str = Field("Sign in with the lab's account", description="What stands on the button.")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Address of the studio as people reach it, with its path; needed for OpenID Connect.",
    )
    workspace: Path = Field(Path("workspace"), description="Folder that holds everything: database, datasets, runs.")
    cache: Path = Field(
        Path("~/.cache/sentence-studio"),
        description="Folder for what can be worked out again, such as how base models do in the check of general ability.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite inside the workspace.")
    max_upload_mb: int = Field(1024, ge=1, description="Largest file that can be uploaded, in megabytes.")
    max_corpus_rows: int = Field(1_000_000, ge=1, description="Most rows that a search corpus may have.")
    max_hub_rows: int = Field(1_000_000, ge=1, description="Most rows that are taken from a dataset of the hub.")
    hub_push: bool = Field(True, description="Whether people may upload their models to the hub from here.")
    training_slots: int = Field(
        1, ge=1, description="Runs that may train at the same time: on each GPU, or altogether where there is none."
    )
    cpu_slots: int = Field(
        1, ge=0, description="On a machine with GPUs: runs that may train on the processors at the same time."
    )
    quota_disk_gb: float = Field(
        0.0, ge=0, description="Room that the things of one account may take; 0: as much as there is."
    )
    quota_queued_runs: int = Field(0, ge=0, description="Runs of one account that may wait; 0: any number.")
    quota_gpu_hours: float = Field(
        0.0, ge=0, description="Hours that the runs of one account may use GPUs within 30 days; 0: any number."
    )
    max_attempts: int = Field(3, ge=1, description="How often a run is started when its process dies unexpectedly.")
    timed_steps: bool = Field(
        True,
        description="Time a few steps in the background, while nothing trains, for the estimate before the button.",
    )
    stop_grace_s: float = Field(10.0, gt=0, description="Seconds between asking a process to end and killing it.")
    trash_days: float = Field(
        7.0,
        gt=0,
        description="Days for which a deleted run or dataset can be brought back; then its folder is removed.",
    )
    warm_models: int = Field(
        4, ge=2, description="Models kept in the server's memory for search; least recently used goes first."
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="What Prometheus has to show to read /metrics; empty: only this machine may."
    )
    log_format: Literal["text", "json"] = Field("text", description="How the server's log is written: lines or JSON.")

    warm_indexes: int = Field(
        8, ge=2, description="Open indexes and corpora kept in the server's memory; least recently used goes first."
    )
    index_disk_mb: int = Field(
        20_000,
        ge=1,
        description="Room for all indexes together, in megabytes; above it the least recently used is freed.",
    )
    reranker: str = Field(
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        description="Cross-encoder that can put hits in order: a folder or a hub name; empty: none.",
    )
    warm_idle_s: float = Field(
        600.0, gt=0, description="Seconds after which a model that nobody searches with leaves memory, the GPU's too."
    )

    demo_per_minute: int = Field(60, ge=1, description="Searches a minute through one demo link.")
    api_per_minute: int = Field(120, ge=1, description="Requests a minute that one account may send to /v1/embeddings.")

    llm_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/@]+(/[^\s]*)?)?$",
        description="Address of an OpenAI-compatible service, up to /v1, that writes questions; empty: off.",
    )
    llm_model: str = Field("", description="Name of its model.")
    llm_key: SecretStr = Field(SecretStr(""), description="Its key; never logged, stored or shown.")
    llm_concurrency: int = Field(4, ge=1, le=64, description="Questions that are under way at the same time.")
    llm_timeout_s: float = Field(60.0, gt=0, description="Seconds until an answer is given up.")

    @property
    def needs_accounts(self) -> bool:
        """Whether people have to sign in."""
        beyond = self.host not in LOOPBACK
        return self.accounts == "required" or (self.accounts == "auto" and beyond)

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.workspace / 'studio.db').absolute()}"
