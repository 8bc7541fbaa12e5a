"""The objects of `kubernetes`, as plain data and then as YAML."""

import shlex
from collections.abc import Mapping

from colgan_search.extensions.launchers import LEFT_CODE, Order
from colgan_search.launchers.kubernetes_parts import (
    DATABASE,
    Object,
    claim_of,
    closed,
    environment,
    labels_of,
    named,
    person,
    resources,
    secret_key,
    service,
    volume,
)
from colgan_search.launchers.kubernetes_settings import DASHBOARD, PASSWORD, KubernetesSettings, object_name
from colgan_search.launchers.yaml_text import yaml_text
from colgan_search.version import __version__

RUNS = "/runs"
"""The image's home and volume."""

USER = 1000
POSTGRES_USER = 999
"""Of the images."""

ASK_SECONDS = 5
"""Between two looks whether the study is made."""


def files(settings: KubernetesSettings, order: Order) -> Mapping[str, str]:
    """Name -> YAML."""
    found: dict[str, list[Object]] = {}
    if settings.claim_gib is not None and settings.claim is not None:
        found["storage.yaml"] = [claim_of(settings, settings.claim, settings.claim_gib, "ReadWriteMany")]
    if settings.postgres:
        found["postgres.yaml"] = _postgres(settings)
        found["study.yaml"] = _study(settings, order)
    found["workers.yaml"] = [workers(settings, order)]
    if settings.dashboard:
        found["dashboard.yaml"] = _dashboard(settings, order)
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(found)}
    head = (
        f"# Of the study {order.study}, written by colgan-search {__version__}. Read it, change it; all of it is\n"
        "# handed in with `kubectl apply -k` and this folder.\n"
    )
    found["kustomization.yaml"] = [kustomization]
    return {name: yaml_text(head, objects) for name, objects in found.items()}


def workers(settings: KubernetesSettings, order: Order) -> Object:
    """A work queue's Job: so many pods at a time until one says that the study is done (exit code 0)."""
    name = object_name(order.study)
    # A worker that is drained before that exits otherwise: a 0 would end the whole Job.
    arguments = ["worker", "--study", order.study, "--work-dir", f"{RUNS}/colgan_work"]
    arguments += ["--wait-for-database", f"{order.outage_minutes:g}", "--left-code", str(LEFT_CODE)]
    arguments += [f"{option}={path}" for option, path in (order.own_files or {}).items()]
    if settings.checkpoints is not None:
        arguments += ["--checkpoints", settings.checkpoints]
    container: Object = {"name": "worker", "image": settings.image, "args": arguments}
    if settings.lines:
        shell = "\n".join(["set -e", *settings.lines, 'exec colgan-search "$@"'])
        container["command"] = ["/bin/sh", "-c", shell, "worker"]
    container |= {
        "env": environment(settings, order),
        "resources": resources(settings),
        "securityContext": closed(),
        "volumeMounts": [{"name": "runs", "mountPath": RUNS}],
    }
    pod: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "securityContext": person(USER),
        **_once_made(settings, order),
        "containers": [container],
        "volumes": [{"name": "runs"} | volume(settings)],
    }
    if settings.minutes is not None:
        pod["activeDeadlineSeconds"] = 60 * settings.minutes
    if settings.node_selector:
        pod["nodeSelector"] = dict(settings.node_selector)
    if settings.priority_class is not None:
        pod["priorityClassName"] = settings.priority_class
    labels = {"kueue.x-k8s.io/queue-name": settings.queue} if settings.queue is not None else {}
    spec: Object = {
        "parallelism": settings.workers or 1,
        "backoffLimit": settings.restarts,
        # No second worker on the same lease while the first still ends.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                # Bad input: no other pod would fare better.
                {"action": "FailJob", "onExitCodes": {"containerName": "worker", "operator": "In", "values": [2]}},
            ]
        },
        "template": {"metadata": {"labels": labels_of(name, "worker")}, "spec": pod},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": named(settings, name, "worker", labels), "spec": spec}


def _once_made(settings: KubernetesSettings, order: Order) -> Object:
    """Where the database is brought along, a pod waits for the study: without one it would end as of bad input."""
    if not settings.postgres:
        return {}
    asked = f"colgan-search status --study {shlex.quote(order.study)} --work-dir {RUNS}/colgan_work"
    container: Object = {
        "name": "study-made",
        "image": settings.image,
        "command": ["/bin/sh", "-c", f"until {asked} > /dev/null; do sleep {ASK_SECONDS}; done"],
        "env": environment(settings, order),
        "securityContext": closed(),
        "volumeMounts": [{"name": "runs", "mountPath": RUNS}],
    }
    return {"initContainers": [container]}


def _postgres(settings: KubernetesSettings) -> list[Object]:
    """One server with its disk; its password is the Secret's."""
    labels = labels_of(DATABASE, "database")
    ready = {"exec": {"command": ["pg_isready", "--username", "colgan", "--dbname", "colgan"]}, "periodSeconds": 5}
    data = "/var/lib/postgresql/data"
    container: Object = {
        "name": "postgres",
        "image": "postgres:17",
        "env": [
            {"name": "POSTGRES_USER", "value": "colgan"},
            {"name": "POSTGRES_DB", "value": "colgan"},
            {"name": "PGDATA", "value": f"{data}/pgdata"},
            {"name": "POSTGRES_PASSWORD", "valueFrom": secret_key(settings, PASSWORD)},
        ],
        "ports": [{"containerPort": 5432}],
        "readinessProbe": ready,
        "securityContext": closed(),
        "volumeMounts": [{"name": "data", "mountPath": data}],
    }
    claim = claim_of(settings, "data", settings.postgres_gib, "ReadWriteOnce")
    claim["metadata"].pop("namespace")
    spec: Object = {
        "serviceName": DATABASE,
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"securityContext": person(POSTGRES_USER), "containers": [container]},
        },
        "volumeClaimTemplates": [claim],
    }
    metadata = named(settings, DATABASE, "database")
    return [
        service(settings, DATABASE, "database", 5432),
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec},
    ]


def _study(settings: KubernetesSettings, order: Order) -> list[Object]:
    """The config, and a Job that makes the study of it once the database answers, or extends it."""
    name = f"{object_name(order.study)}-study"
    arguments = ["launch", "--workers", "0", "--config", "/config/study.yaml", "--study", order.study]
    arguments += ["--trials", str(order.trials), "--work-dir", f"{RUNS}/colgan_work"]
    container: Object = {
        "name": "study",
        "image": settings.image,
        "args": arguments,
        "env": environment(settings, order),
        "securityContext": closed(),
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "runs", "mountPath": RUNS}],
    }
    pod: Object = {
        "restartPolicy": "OnFailure",
        "securityContext": person(USER),
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}, {"name": "runs", "emptyDir": {}}],
    }
    spec = {"backoffLimit": 20, "template": {"metadata": {"labels": labels_of(name, "study")}, "spec": pod}}
    metadata = named(settings, name, "study")
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"study.yaml": order.config}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec},
    ]


def _dashboard(settings: KubernetesSettings, order: Order) -> list[Object]:
    """It only shows, and asks for the Secret's password; seen with `kubectl port-forward`."""
    name = "colgan-dashboard"
    labels = labels_of(name, "dashboard")
    secret = {"name": "COLGAN_DASHBOARD_PASSWORD", "valueFrom": secret_key(settings, DASHBOARD)}
    container: Object = {
        "name": "dashboard",
        "image": settings.image,
        "args": ["dashboard", "--host", "0.0.0.0", "--port", "8080", "--work-dir", f"{RUNS}/colgan_work"],
        "env": [*environment(settings, order), secret],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 10},
        "securityContext": closed(),
        "volumeMounts": [{"name": "runs", "mountPath": RUNS}],
    }
    pod: Object = {
        "securityContext": person(USER),
        **_once_made(settings, order),
        "containers": [container],
        "volumes": [{"name": "runs", "emptyDir": {}}],
    }
    spec: Object = {"replicas": 1, "selector": {"matchLabels": labels}}
    spec["template"] = {"metadata": {"labels": labels}, "spec": pod}
    metadata = named(settings, name, "dashboard")
    return [
        service(settings, name, "dashboard", 8080),
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
    ]
