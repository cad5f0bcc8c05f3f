"""Every setting of every service, read from WINNOW_* variables; no secret has a default."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Endpoint(BaseModel):
    """An OpenAI-style endpoint: where it is, what opens it, which model answers."""

    base_url: str = Field(default="", description="such as http://127.0.0.1:8090/v1")
    api_key: SecretStr | None = None
    model: str = ""
    in_flight: int = Field(default=32, ge=1, le=1024, description="calls at once per worker")
    timeout_seconds: float = Field(default=60.0, gt=0)
    max_attempts: int = Field(default=6, ge=1, le=20)


class LocalLlm(BaseModel):
    """The embedded stand-in's own address and behaviour."""

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=1, le=65535)
    api_key: SecretStr | None = None
    encoder_path: Path | None = Field(default=None, description="a folder with MiniLM's two files")
    faults: str = Field(default="", description="such as delay_ms=50,server_error=.05; for tests")


class Limits(BaseModel):
    """What a caller may ask for at most."""

    body_bytes: int = Field(default=8 * 2**20, description="of a JSON request")
    upload_bytes: int = Field(default=4 * 2**30, description="of an upload as sent")
    unpacked_bytes: int = Field(default=32 * 2**30, description="of an upload once unpacked")
    unpack_ratio: int = Field(default=200, description="unpacked to packed, against bombs")
    row_bytes: int = Field(default=1 * 2**20, description="of one line")
    rows: int = Field(default=500_000_000, description="of one upload")
    text_chars: int = Field(default=100_000, description="of one profile text")
    prompt_text_chars: int = Field(default=4_000, description="of one text inside a prompt")
    parse_memory_bytes: int = Field(default=3 * 2**30, description="address space of the parser")
    page_size: int = Field(default=1_000)
    event_streams: int = Field(default=100, ge=0, description="open at once per api process")


class Settings(BaseSettings):
    """All of it; a missing value is named by the service that needs it."""

    model_config = SettingsConfigDict(
        env_prefix="WINNOW_",
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a line of .env.example that nobody filled in
        extra="forbid",
        frozen=True,
    )

    database_url: SecretStr | None = Field(default=None, description="role winnow_app")
    ingest_database_url: SecretStr | None = Field(default=None, description="role winnow_ingest")
    owner_database_url: SecretStr | None = Field(default=None, description="role winnow_owner: DDL")
    admin_database_url: SecretStr | None = Field(default=None, description="superuser: bootstrap")
    redis_url: SecretStr | None = None
    artifacts_url: str = Field(default="", description="fsspec URL of the artefact store")
    spool_dir: Path | None = Field(default=None, description="uploads on their way in")
    operator_key: SecretStr | None = Field(default=None, description="makes projects and keys")

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=1, le=65535)
    scorer_host: str = Field(default="127.0.0.1", description="where the scorer listens")
    scorer_port: int = Field(default=8070, ge=1, le=65535)
    scorer_url: str = Field(
        default="", description="where the api finds it: http://127.0.0.1:8070; empty: none"
    )
    scorer_key: SecretStr | None = Field(default=None, description="shared by api and scorer")
    scorer_timeout_seconds: float = Field(default=2.0, gt=0, description="until lists stand in")
    scorer_memory_bytes: int = Field(
        default=2 * 2**30, gt=0, description="of the models that the scorer keeps at hand"
    )
    metrics_host: str = Field(default="127.0.0.1", description="where workers serve /metrics")
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65533,
        description="0: off; api-worker takes it, llm_worker the next, trainer the one after",
    )
    llm: Endpoint = Endpoint()
    embedder: Endpoint = Endpoint()
    local_llm: LocalLlm = LocalLlm()
    limits: Limits = Limits()

    outgoing_allow: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(), description="host:port of private addresses that may be called"
    )
    preflight_seconds: float = Field(
        default=120.0, gt=0, description="for one query of a preflight report or an estimate"
    )
    lease_seconds: float = Field(default=30.0, gt=0)
    stage_attempts: int = Field(default=5, ge=1, description="claims before a stage has failed")
    sweep_seconds: float = Field(default=10.0, gt=0)
    retry_first_seconds: float = Field(
        default=15.0, gt=0, description="until a paused job is tried again; doubled each time"
    )
    retry_longest_seconds: float = Field(default=120.0, gt=0, description="between two such tries")
    disk_room_bytes: int = Field(
        default=64 * 2**20, ge=1, description="free before a job paused by a full disk goes on"
    )
    batch_pairs: int = Field(default=512, ge=1, description="pairs of one rating batch")
    flush_answers: int = Field(default=200, ge=1, description="answers per rating transaction")
    flush_seconds: float = Field(default=0.5, gt=0)
    train_threads: int = Field(default=1, ge=1, description="torch threads of one stage")
    device: str = Field(default="auto", pattern="^(auto|cpu|cuda(:[0-9]+)?)$")
    list_length: int = Field(
        default=100,
        ge=1,
        le=1000,  # as many as the scorer is asked for: shared.scoring.MAX_K
        description="items per pre-encoded list, 1,000 at most",
    )
    pulse_file: Path | None = Field(
        default=None, description="touched by a worker that takes messages: for health checks"
    )
    log_level: str = "INFO"
    log_format: str = Field(default="json", pattern="^(json|console)$")

    @field_validator("outgoing_allow", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    def require(self, name: str) -> str:
        """Return the setting `name` as text; ValueError names the variable when it is unset."""
        value = getattr(self, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if not value:
            raise ValueError(f"WINNOW_{name.upper()} is not set")
        return str(value)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return this process' settings, read once."""
    return Settings()
