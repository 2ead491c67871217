"""Write the bill of materials of what serves: packages, TorchServe's jar, archive and weights.

It completes the bill that cyclonedx-py writes of the environment, and runs in the same environment;
only the validation needs it. CycloneDX 1.6, JSON.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.archive.record import verify_archive
from scripts.common.errors import CommandError
from scripts.common.files import sha256_of
from scripts.common.options import OptionParser
from scripts.common.paths import ROOT, archive_of
from scripts.release.lock import LOCKS
from u2net_cutout.local.member_names import MANIFEST
from u2net_cutout.network.metadata import ModelMetadata

# TorchServe's jar holds its libraries unpacked; netty alone left word of its version.
NETTY_VERSIONS = "META-INF/io.netty.versions.properties"

Component = dict[str, Any]
# Version and SHA-256 of each wheel, by the package's name.
Locked = Mapping[str, tuple[str, str]]


class SbomError(CommandError):
    """The bill can't be written; the message says why and what to do."""


def complete(
    environment: Mapping[str, Any], server: Locked, model: Locked, others: list[Component]
) -> dict[str, Any]:
    """Keep of the environment's bill what serving needs, give it its sums, and add the rest.

    `server` and `model` are the wheels of the server's environment and those that TorchServe
    installs for a model.
    """
    kept = [each for each in environment["components"] if _normal(each["name"]) in server]
    for each in kept:
        version, digest = server[_normal(each["name"])]
        if each["version"] == version:
            each["hashes"] = _sha256(digest)
    kept += [
        {
            **{"type": "library", "name": name, "version": version, "hashes": _sha256(digest)},
            **{"purl": f"pkg:pypi/{name}@{version}", "bom-ref": f"{name}=={version}"},
        }
        for name, (version, digest) in model.items()
        if server.get(name) != (version, digest)
    ]
    references = {each["bom-ref"] for each in kept} | {"root-component"}
    dependencies = [
        each | {"dependsOn": [ref for ref in each.get("dependsOn", []) if ref in references]}
        for each in environment.get("dependencies", [])
        if each["ref"] in references
    ]
    return {**environment, "components": [*kept, *others], "dependencies": dependencies}


def read_lock(lock: Path) -> Locked:
    """Read a lock that ``lock.py`` wrote."""
    packages = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            requirement, _, digest = line.partition(" --hash=sha256:")
            name, _, version = requirement.partition("==")
            packages[name] = (version, digest)
    return packages


def archive_component(archive: Path, model: str) -> Component:
    """Describe a verified archive: its members, with the weights as a machine-learning model.

    Raises:
        ArchiveRecordError: it is not what its record says.
    """
    metadata = verify_archive(archive, model)
    with zipfile.ZipFile(archive) as members:
        version = json.loads(members.read(MANIFEST))["model"]["modelVersion"]
        content = [
            _member(name, hashlib.sha256(members.read(name)).hexdigest(), metadata)
            for name in sorted(members.namelist())
        ]
    return {
        **{"type": "file", "name": archive.name, "version": version, "bom-ref": archive.name},
        **{"hashes": _sha256(sha256_of(archive)), "components": content},
    }


def jar_component(jar: Path) -> Component:
    """Describe TorchServe's jar, and those of its libraries that have a version in it."""
    with zipfile.ZipFile(jar) as content:
        lines = content.read(NETTY_VERSIONS).decode().splitlines()
    versions = dict(
        line.split(".version=", 1) for line in lines if ".version=" in line and line[0] != "#"
    )
    netty = [
        {
            **{"type": "library", "group": "io.netty", "name": name, "version": version},
            **{"purl": f"pkg:maven/io.netty/{name}@{version}", "bom-ref": f"io.netty:{name}"},
        }
        for name, version in sorted(versions.items())
    ]
    return {
        **{"type": "file", "name": jar.name, "bom-ref": jar.name},
        **{"hashes": _sha256(sha256_of(jar)), "components": netty},
    }


def _member(name: str, digest: str, metadata: ModelMetadata) -> Component:
    described: Component = {"type": "file", "name": name, "hashes": _sha256(digest)}
    if digest == metadata.weights_sha256:
        described |= {
            **{"type": "machine-learning-model", "description": metadata.weights_source},
            "licenses": [{"license": {"name": metadata.license}}],
        }
    return described


def _sha256(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def write_sbom(bill: Mapping[str, Any], path: Path) -> None:
    """Write a bill, if it is a valid one.

    Raises:
        SbomError: it is not.
    """
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(bill, indent=2) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SbomError(f"no valid CycloneDX: {error}")
    path.write_text(text, encoding="utf-8")


def sbom(line: Sequence[str]) -> None:
    """Write the bill of materials of what serves."""
    parser = OptionParser("sbom", "Write the bill of materials (CycloneDX).")
    parser.add_argument("--environment", type=Path, required=True, help="what cyclonedx-py wrote")
    parser.add_argument("--jar", type=Path, required=True, help="TorchServe's frontend")
    parser.take("build", "model")
    arguments = parser.parse_args(line)
    environment = json.loads(arguments.environment.read_text(encoding="utf-8"))
    archive = archive_component(archive_of(arguments.build, arguments.model), arguments.model)
    server, model = (read_lock(ROOT / f"{name}.lock") for name in LOCKS)
    bill = complete(environment, server, model, [jar_component(arguments.jar), archive])
    output = arguments.build / "sbom.json"
    write_sbom(bill, output)
    print(
        f"{output}: {len(bill['components'])} components, "
        f"{len(archive['components'])} members of the archive"
    )
