"""What the objects of `kubernetes` are put together from."""

from collections.abc import Mapping
from typing import Any

from colgan_search.extensions.launchers import Order
from colgan_search.launchers.kubernetes_settings import PASSWORD, KubernetesSettings

DATABASE = "colgan-db"
DATABASE_URL = f"postgresql://colgan@{DATABASE}:5432/colgan"
Object = dict[str, Any]


def environment(settings: KubernetesSettings, order: Order) -> list[Object]:
    """The database's address and password, for a container."""
    found: list[Object] = [{"name": "COLGAN_STORAGE", "value": order.storage or DATABASE_URL}]
    if order.storage is None or order.secret is not None:
        found.append({"name": "PGPASSWORD", "valueFrom": secret_key(settings, PASSWORD)})
    return found


def secret_key(settings: KubernetesSettings, key: str) -> Object:
    """A key of the Secret, as the source of a variable."""
    return {"secretKeyRef": {"name": settings.secret, "key": key}}


def resources(settings: KubernetesSettings) -> Object:
    """What a worker's container asks for."""
    asked: Object = {"cpu": str(settings.cpus)}
    limits: Object = {}
    if settings.memory_mib is not None:
        asked["memory"] = limits["memory"] = f"{settings.memory_mib}Mi"
    if settings.gpus:
        limits[settings.gpu_resource] = str(settings.gpus)
    return {"requests": asked, "limits": limits} if limits else {"requests": asked}


def volume(settings: KubernetesSettings) -> Object:
    """Where /runs lies."""
    if settings.claim is None:
        return {"emptyDir": {}}
    return {"persistentVolumeClaim": {"claimName": settings.claim}}


def claim_of(settings: KubernetesSettings, name: str, gib: int, mode: str) -> Object:
    """A PersistentVolumeClaim."""
    spec: Object = {"accessModes": [mode], "resources": {"requests": {"storage": f"{gib}Gi"}}}
    if settings.storage_class is not None:
        spec["storageClassName"] = settings.storage_class
    metadata = {"name": name, "namespace": settings.namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def service(settings: KubernetesSettings, name: str, part: str, port: int) -> Object:
    """A ClusterIP."""
    spec = {"type": "ClusterIP", "selector": labels_of(name, part), "ports": [{"port": port, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": named(settings, name, part), "spec": spec}


def named(settings: KubernetesSettings, name: str, part: str, more: Mapping[str, str] | None = None) -> Object:
    """The metadata of an object."""
    labels = labels_of(name, part) | dict(more or {})
    return {"name": name, "namespace": settings.namespace, "labels": labels}


def labels_of(name: str, part: str) -> dict[str, str]:
    """By which its pods are found."""
    return {
        "app.kubernetes.io/name": "colgan-search",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": part,
    }


def person(user: int) -> Object:
    """A pod's security context: never root."""
    profile = {"type": "RuntimeDefault"}
    return {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": user, "fsGroup": user, "seccompProfile": profile}


def closed() -> Object:
    """A container's."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
