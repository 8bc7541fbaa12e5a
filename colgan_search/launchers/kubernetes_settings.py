"""The settings of `kubernetes`, and the names that its files share."""

import re
from hashlib import sha256
from typing import Annotated

from pydantic import Field, model_validator

from colgan_search.launchers.cluster_settings import ClusterSettings, DnsName, Image

LABEL = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
Label = Annotated[str, Field(pattern=LABEL)]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]

PASSWORD, DASHBOARD = "password", "dashboard-password"
"""Files beside the YAML, of mode 0600, which become the keys of the Secret."""


class KubernetesSettings(ClusterSettings):
    """Workers as the pods of a Kubernetes Job."""

    image: Image = Field("colgan-search:latest", description="container of this package (see Dockerfile)")
    namespace: DnsName = Field("default", description="where everything is made")
    secret: DnsName = Field("colgan-search", description="Secret with the database's password under the key password")
    gpu_resource: Label = Field("nvidia.com/gpu", description="what a GPU is called there")
    node_selector: dict[Label, LabelValue] = Field({}, description="labels of the nodes that workers may run on")
    queue: DnsName | None = Field(None, description="Kueue's local queue, if Kueue admits jobs there")
    priority_class: DnsName | None = Field(None, description="PriorityClass of the workers")
    claim: DnsName | None = Field(
        None, description="PersistentVolumeClaim (ReadWriteMany) for the work folder; null = each pod's own emptyDir"
    )
    claim_gib: int | None = Field(None, ge=1, le=1_000_000, description="make that claim, so large; null = it is there")
    storage_class: DnsName | None = Field(
        None, description="StorageClass of what is made; null = the cluster's default"
    )
    grace_seconds: int = Field(60, ge=60, le=3600, description="between a pod's SIGTERM and its end; a drain takes 30")
    restarts: int = Field(100, ge=0, le=100_000, description="pods that may fail, evictions not counted")
    postgres: bool = Field(False, description="bring a PostgreSQL along (StatefulSet), instead of a storage's address")
    postgres_gib: int = Field(20, ge=1, le=1_000_000, description="its disk")
    dashboard: bool = Field(False, description="also the dashboard, behind a ClusterIP")

    @model_validator(mode="after")
    def _claim_has_a_name(self) -> "KubernetesSettings":
        if self.claim_gib is not None and self.claim is None:
            raise ValueError("claim_gib makes a claim: name it with claim")
        return self


def object_name(study: str) -> str:
    """A name that Kubernetes takes, another one for another study: `colgan-` and the study's, changed where it must."""
    plain = re.sub(r"[^a-z0-9]+", "-", study.lower()).strip("-")[:40].strip("-")
    return f"colgan-{plain}" if plain == study else f"colgan-{plain}-{sha256(study.encode()).hexdigest()[:6]}"
