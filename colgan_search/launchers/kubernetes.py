"""`kubernetes`: a Job that keeps so many workers at work, as plain YAML that kubectl takes and kustomize can change."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from colgan_search.errors import BadInput
from colgan_search.extensions.launchers import ClusterLauncher, HandedIn, Order
from colgan_search.launchers.kubernetes_files import files
from colgan_search.launchers.kubernetes_settings import DASHBOARD, PASSWORD, KubernetesSettings, object_name

COMMAND_SECONDS = 120


class Kubernetes(ClusterLauncher):
    """kubectl of this machine, in its current context."""

    name = "kubernetes"
    settings = KubernetesSettings
    secret_name = PASSWORD

    def files(self, settings: KubernetesSettings, order: Order) -> Mapping[str, str]:
        """Objects by file, and a kustomization that names the files."""
        return files(settings, order)

    def secret_text(self, password: str) -> str:
        """The password itself, without a newline, which would be a part of it."""
        return password

    def random_secrets(self, settings: KubernetesSettings) -> Sequence[str]:
        """Passwords that nobody has chosen yet."""
        return [PASSWORD] * settings.postgres + [DASHBOARD] * settings.dashboard

    def brings_database(self, settings: KubernetesSettings) -> bool:
        """With `postgres`."""
        return settings.postgres

    def by_hand(self, settings: KubernetesSettings, folder: Path) -> str:
        """As a person hands it in; the Secret first, if its password is here."""
        applied = shlex.join(["kubectl", "apply", "-k", str(folder)])
        keys = [f"--from-file={name}={folder / name}" for name in _secrets(folder)]
        secret = ["kubectl", "create", "secret", "generic", settings.secret, "--namespace", settings.namespace, *keys]
        return f"{shlex.join(secret)} && {applied}" if keys else applied

    def watched(self, settings: KubernetesSettings, study: str) -> str:
        """How the study of a database inside the cluster is seen from here."""
        forward = f"kubectl port-forward --namespace {settings.namespace} service/colgan-db 5432:5432"
        return f"{forward} & PGPASSWORD=... colgan-search status --storage postgresql://colgan@127.0.0.1/colgan"

    def hand_in(
        self, settings: KubernetesSettings, study: str, folder: Path, environment: Mapping[str, str]
    ) -> HandedIn:
        """Applies the files: what is there already stays as it is. A Job that has ended is made anew."""
        if shutil.which("kubectl") is None:
            raise BadInput(
                f"there is no kubectl on this machine; hand it in where there is: {self.by_hand(settings, folder)}"
            )
        here = ["kubectl", "--namespace", settings.namespace]
        if names := _secrets(folder):
            keys = [f"--from-file={name}={folder / name}" for name in names]
            made = ["create", "secret", "generic", settings.secret, *keys, "--dry-run=client", "--output=yaml"]
            _kubectl([*here, "apply", "--filename=-"], environment, _kubectl([*here, *made], environment))
        job = object_name(study)
        # Also the one that made the study: its arguments have the number of trials, and a Job cannot be changed.
        for ended in (job, f"{job}-study") if settings.postgres else (job,):
            if _conditions(here, ended, environment) & {"Complete", "Failed"}:
                _kubectl([*here, "delete", "job", ended, "--wait=true"], environment)
        _kubectl(["kubectl", "apply", "-k", str(folder)], environment)

        def alive() -> int | None:
            try:
                return 0 if _conditions(here, job, environment) & {"Complete", "Failed"} else settings.workers or 1
            except BadInput:
                return None

        return HandedIn(alive, lambda: f"see: kubectl logs --namespace {settings.namespace} job/{job}")


def _secrets(folder: Path) -> list[str]:
    return [name for name in (PASSWORD, DASHBOARD) if (folder / name).exists()]


def _conditions(here: list[str], job: str, environment: Mapping[str, str]) -> set[str]:
    """The conditions of the Job that are true; none if there is no such Job."""
    found = _kubectl([*here, "get", "job", job, "--ignore-not-found", "--output=json"], environment)
    try:
        conditions = json.loads(found).get("status", {}).get("conditions", []) if found.strip() else []
        return {str(one["type"]) for one in conditions if one["status"] == "True"}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"kubectl get job {job}: not as kubectl says it: {error}") from error


def _kubectl(command: list[str], environment: Mapping[str, str], given: str | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=dict(environment), input=given, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"kubectl does not answer: {error}") from error
    if done.returncode:
        raise BadInput(f"kubectl refuses: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")
    return done.stdout


KUBERNETES = Kubernetes()
