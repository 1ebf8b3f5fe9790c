"""The same JSON by FastAPI and SQLAlchemy, written as their documentation teaches.

BENCH_DATABASE is an SQLAlchemy URL. The tables are those of src/peer/tables.rs.
"""

import json
import os
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import Text, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

KEY = os.environ["BENCH_KEY"]
URL = os.environ["BENCH_DATABASE"]
engine = create_engine(URL, pool_size=16, max_overflow=32)
app = FastAPI()


class Base(DeclarativeBase):
    type_annotation_map = {str: Text}


class TenantRow(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    archived: Mapped[int]
    integration_id: Mapped[int]
    configs: Mapped[str]
    created_date: Mapped[str]
    modified_date: Mapped[str]
    paused: Mapped[int]
    user_schedule: Mapped[str | None]
    schedule: Mapped[str | None]
    source: Mapped[str]
    integration_release_id: Mapped[int | None]
    integration_release_channel: Mapped[str | None]
    dynamic_configs: Mapped[str]
    connected: Mapped[int]
    user_name: Mapped[str | None]
    timezone: Mapped[str | None]
    configs_problems: Mapped[str]


class RunRow(Base):
    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[str]
    phase: Mapped[str]
    triggers: Mapped[str]
    started_date: Mapped[str | None]
    completed_date: Mapped[str | None]
    tenant_id: Mapped[int]
    integration_id: Mapped[int]
    release_id: Mapped[int]
    exit_code: Mapped[int | None]
    std_out: Mapped[str | None]
    message: Mapped[str | None]
    rerun_of: Mapped[int | None]
    node: Mapped[str | None]
    cpu_ms: Mapped[int]
    max_rss_bytes: Mapped[int]
    log_bytes: Mapped[int]


class Auth(BaseModel):
    connected: bool
    connectors: list[dict[str, Any]]


class ConfigsProblem(BaseModel):
    name: str
    message: str


class TenantStatus(BaseModel):
    last_run: dict[str, Any]
    current_run: dict[str, Any]
    last_successful_run: dict[str, Any]
    dynamic_configs: dict[str, Any]
    auth: Auth


class Tenant(BaseModel):
    id: int
    name: str
    archived: bool
    integration_id: int
    configs: dict[str, Any]
    created_date: str
    modified_date: str
    paused: bool
    user_schedule: str | None
    schedule: str | None
    source: str
    integration_release_id: int | None
    integration_release_channel: str | None
    status: TenantStatus
    user_name: str | None
    timezone: str | None
    configs_problems: list[ConfigsProblem]


class RunStatus(BaseModel):
    phase: str
    startTime: str | None
    completionTime: str | None


class RunTrigger(BaseModel):
    id: int
    created_date: str
    mode: str
    source: str
    payload: dict[str, Any]


class Usage(BaseModel):
    cpu_ms: int
    max_rss_bytes: int
    log_bytes: int


class Run(BaseModel):
    id: int
    mode: str
    status: RunStatus
    triggers: list[RunTrigger]
    started_date: str | None
    completed_date: str | None
    tenant_id: int
    integration_id: int
    release_id: int
    exit_code: int | None
    std_out: str | None
    message: str | None
    rerun_of: int | None
    node: str | None
    usage: Usage


def session():
    with Session(engine) as one:
        yield one


def caller(x_api_key: Annotated[str, Header()]):
    if x_api_key != KEY:
        raise HTTPException(status_code=403)


Database = Annotated[Session, Depends(session)]


def tenant_of(row: TenantRow) -> Tenant:
    auth = Auth(connected=bool(row.connected), connectors=[])
    status = TenantStatus(
        last_run={},
        current_run={},
        last_successful_run={},
        dynamic_configs=json.loads(row.dynamic_configs),
        auth=auth,
    )
    return Tenant(
        id=row.id,
        name=row.name,
        archived=bool(row.archived),
        integration_id=row.integration_id,
        configs=json.loads(row.configs),
        created_date=row.created_date,
        modified_date=row.modified_date,
        paused=bool(row.paused),
        user_schedule=row.user_schedule,
        schedule=row.schedule,
        source=row.source,
        integration_release_id=row.integration_release_id,
        integration_release_channel=row.integration_release_channel,
        status=status,
        user_name=row.user_name,
        timezone=row.timezone,
        configs_problems=json.loads(row.configs_problems),
    )


def run_of(row: RunRow) -> Run:
    return Run(
        id=row.id,
        mode=row.mode,
        status=RunStatus(
            phase=row.phase,
            startTime=row.started_date,
            completionTime=row.completed_date,
        ),
        triggers=json.loads(row.triggers),
        started_date=row.started_date,
        completed_date=row.completed_date,
        tenant_id=row.tenant_id,
        integration_id=row.integration_id,
        release_id=row.release_id,
        exit_code=row.exit_code,
        std_out=row.std_out,
        message=row.message,
        rerun_of=row.rerun_of,
        node=row.node,
        usage=Usage(
            cpu_ms=row.cpu_ms,
            max_rss_bytes=row.max_rss_bytes,
            log_bytes=row.log_bytes,
        ),
    )


@app.get("/v2/tenants/{tenant_id}", dependencies=[Depends(caller)])
def get_tenant(tenant_id: int, database: Database) -> Tenant:
    row = database.get(TenantRow, tenant_id)
    if row is None:
        raise HTTPException(status_code=404)
    return tenant_of(row)


@app.get("/v2/tenants", dependencies=[Depends(caller)])
def list_tenants(
    database: Database, integration_id: int, limit: int = 100, skip: int = 0
) -> list[Tenant]:
    wanted = (
        select(TenantRow)
        .where(TenantRow.integration_id == integration_id, TenantRow.archived == 0)
        .order_by(TenantRow.id)
        .limit(limit)
        .offset(skip)
    )
    return [tenant_of(row) for row in database.scalars(wanted)]


@app.get("/v2/runs/{run_id}", dependencies=[Depends(caller)])
def get_run(run_id: int, database: Database) -> Run:
    row = database.get(RunRow, run_id)
    if row is None:
        raise HTTPException(status_code=404)
    return run_of(row)


@app.get("/v2/runs", dependencies=[Depends(caller)])
def list_runs(
    database: Database, integration_id: int, limit: int = 100, skip: int = 0
) -> list[Run]:
    wanted = (
        select(RunRow)
        .where(RunRow.integration_id == integration_id)
        .order_by(RunRow.id.desc())
        .limit(limit)
        .offset(skip)
    )
    return [run_of(row) for row in database.scalars(wanted)]
