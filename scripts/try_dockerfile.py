#!/usr/bin/env python3
"""Run what the Dockerfile runs on a clean Debian root, where there is no container engine.

As root, with debootstrap: scripts/try_dockerfile.py --root /var/tmp/root [--bind FOLDER ...]. All stages of
the target share the one root, which stays; with --keep it is used again as it is. --bind shows a folder of
this machine there, which cannot be written to, such as a mirror of packages; variables PIP_* go along, and
certificates that this machine trusts on top of Debian's. It ends by starting the server there as the image
would, and with the verdict of the image's own health check.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.deploy.dockerfile import Instruction, Stage, ancestry, read  # noqa: E402

HEALTHY_WITHIN_S = 180


class Try:
    """The state that instructions change."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder, self.user, self.shell = root, "/", "root", ["/bin/sh", "-c"]
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
        }
        self.passed = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}

    def inside(self, command: list[str], *, build: bool = True) -> list[str]:
        """The command line that runs a command in the root."""
        known = {**self.environment, **(self.passed if build else {})}
        settings = [f"{name}={value}" for name, value in known.items()]
        enter = ["chroot", f"--userspec={self.user}:{self.user}", str(self.root), "/usr/bin/env", "-i"]
        return [*enter, f"--chdir={self.folder}", *settings, *command]

    def take(self, one: Instruction) -> None:
        """Do what an instruction says."""
        if one.name == "RUN":
            began = time.monotonic()
            subprocess.run(self.inside([*self.shell, one.text]), check=True)
            sys.stderr.write(f"--- {time.monotonic() - began:.0f} s: RUN {one.text[:90]}\n")
        elif one.name == "COPY" and "--from" not in one.text:
            *sources, target = one.words
            for source in sources:
                _copy(ROOT / source, self.root, os.path.join(self.folder, target))  # noqa: PTH118 - of the root
        elif one.name in ("ENV", "ARG"):
            for word in one.words:
                name, _, value = word.partition("=")
                self.environment[name] = value.replace("$PATH", self.environment["PATH"])
        elif one.name == "WORKDIR":
            self.folder = one.text
            (self.root / one.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif one.name == "SHELL":
            self.shell = one.words
        elif one.name == "USER":
            self.user = one.text.partition(":")[0]


def _copy(source: Path, root: Path, target: str) -> None:
    place = root / os.path.normpath(target).lstrip("/")
    if source.is_dir():
        shutil.copytree(source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        place = place / source.name if target.endswith("/") or place.is_dir() else place
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def _mount(mounted: list[Path], place: Path, *what: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *what, str(place)], check=True)
    mounted.append(place)


def _serve(here: Try, stages: list[Stage]) -> int:
    """Start what the image starts, and ask its health check until it is well."""
    final: dict[str, Instruction] = {one.name: one for stage in stages for one in stage.instructions}
    command = [*final["ENTRYPOINT"].words, *final["CMD"].words]
    server = subprocess.Popen(here.inside(command, build=False))
    try:
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while time.monotonic() < deadline and server.poll() is None:
            check = subprocess.run(
                here.inside(final["HEALTHCHECK"].words, build=False), capture_output=True, check=False
            )
            if check.returncode == 0:
                sys.stderr.write("--- healthy\n")
                return 0
            time.sleep(1)
    finally:
        server.terminate()
        server.wait(60)
    sys.stderr.write("--- not healthy\n")
    return 1


def main() -> int:
    """Parse the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="the folder that becomes the root")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--keep", action="store_true", help="the root is there: do not run debootstrap")
    parser.add_argument("--bind", action="append", default=[], metavar="FOLDER")
    given = parser.parse_args()
    if not given.keep:
        subprocess.run(["debootstrap", "--variant=minbase", given.suite, str(given.root)], check=True)
    stages = read(ROOT / "Dockerfile")
    build, runtime = ancestry(stages, "program"), ancestry(stages, given.target)
    shutil.copyfile("/etc/resolv.conf", given.root / "etc/resolv.conf")
    own = given.root / "usr/local/share/ca-certificates"
    own.mkdir(parents=True, exist_ok=True)
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copyfile(certificate, own / certificate.name)
    mounted: list[Path] = []
    try:
        _mount(mounted, given.root / "proc", "-t", "proc", "proc")
        for source in given.bind:
            place = given.root / source.lstrip("/")
            _mount(mounted, place, "--bind", source)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        here = Try(given.root)
        for stage in build:
            for one in stage.instructions:
                here.take(one)
        environment, here = here.environment, Try(given.root)
        here.environment["PATH"] = environment["PATH"]
        for stage in runtime:
            for one in stage.instructions:
                if one.name != "RUN":  # done above: the root is the same
                    here.take(one)
        return _serve(here, runtime)
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", str(place)], check=False)


if __name__ == "__main__":
    sys.exit(main())
