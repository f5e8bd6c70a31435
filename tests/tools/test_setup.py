"""Set-up: what it makes, that it repeats and resumes, and the one line when something is missing.

Python, pip, apt and dpkg are stand-ins, so nothing is fetched and the system is not touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = (
    "tools/setup",
    "tools/fetch-micropython",
    "pyproject.toml",
    "requirements-build.txt",
    "requirements.txt",
    "requirements-dev.txt",
    "firmware/requirements-stubs.txt",
)
KEYRINGS = [Path(f"/usr/share/keyrings/debian-archive-keyring.{kind}") for kind in ("gpg", "pgp")]
needs_debian_keys = pytest.mark.skipif(
    not any(path.exists() for path in KEYRINGS), reason="needs Debian's signing keys"
)

PYTHON = r"""#!/bin/sh
case "$*" in
    *ensurepip*) exit ${NO_VENV:-0} ;;
    *sys.exit*) exit ${TOO_OLD:-0} ;;
    "-c import sys; print"*) echo ${VERSION:-3.12} ;;
    --version) echo Python ${VERSION:-3.12} ;;
    "-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    "-m guidearm_hil."*.build) echo "$*" >>"$CALLS" ;;
    *guidearm_tools.micropython)
        if [ -n "$GUIDEARM_MICROPYTHON" ]; then echo "$GUIDEARM_MICROPYTHON"
        elif [ -x .micropython/micropython ]; then echo "the checkout's"
        elif command -v micropython; then :
        else echo "no MicroPython found" >&2; exit 1; fi ;;
    *" install "*)
        echo "$*" >>"$CALLS"
        [ -z "$PIP_SAYS" ] || { echo "$PIP_SAYS"; exit 1; }
        while [ $# -gt 0 ]; do [ "$1" != --target ] || mkdir -p "$2"; shift; done ;;
    *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""
APT_GET = r"""#!/bin/sh
case "$*" in
    indextargets*) [ -z "$MIRRORS" ] || echo "$MIRRORS" ;;
    *update) echo "apt update $(grep ^URIs "${APT_CONFIG%/*}/mirror.sources")" >>"$CALLS"
        [ -z "$APT_SAYS" ] || { echo "$APT_SAYS"; exit 100; } ;;
    *download*) echo "$*" >>"$CALLS"
        sed -n 's/^APT::Architecture "\(.*\)";/\1/p' "$APT_CONFIG" >one.deb ;;
    *) exit 99 ;;
esac
"""
DPKG = r"""#!/bin/sh
case "$*" in
    --print-architecture) echo amd64 ;;
    -x*)
        if grep -q i386 "$2"; then loader=usr/lib/i386-linux-gnu/ld-linux.so.2
        else loader=usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2; fi
        mkdir -p "$3/${loader%/*}"
        printf '#!/bin/sh\necho 1.25\n' >"$3/$loader"
        chmod +x "$3/$loader"
        case "$NO_32_BIT $loader" in yes*i386*) printf 'not a program' >"$3/$loader" ;; esac ;;
    *) exit 99 ;;
esac
"""
TOOLS = [
    *("awk", "bash", "cat", "chmod", "cp", "cut", "env", "flock", "grep", "head", "mkdir", "mv"),
    *("printf", "readlink", "rm", "sed", "sha256sum", "sh"),
]
MIRROR = "http://mirror.invalid/debian/ main"


class Checkout:
    """A folder with what set-up needs of a checkout, and stand-ins on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.calls.touch()
        for name in COPIED:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        self.bin.mkdir()
        for name, source in (("python3", PYTHON), ("apt-get", APT_GET), ("dpkg", DPKG)):
            self.program(name, source)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, tool
            (self.bin / tool).symlink_to(found)

    def program(self, name: str, source: str) -> None:
        """Put a program on the PATH of set-up."""
        path = self.bin / name
        path.write_text(source)
        path.chmod(0o755)

    def setup(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run set-up; the environment is this and nothing else."""
        return subprocess.run(
            [self.root / "tools" / "setup", *arguments],
            env={"PATH": str(self.bin), "CALLS": str(self.calls), "MIRRORS": MIRROR, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def called(self) -> list[str]:
        """Return the calls of pip and apt since the last time, and forget them."""
        calls = self.calls.read_text().splitlines()
        self.calls.write_text("")
        return calls


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def installs(calls: list[str]) -> list[str]:
    """Return what each call of pip installed."""
    return [call.split()[-1] for call in calls if " install " in call]


def one_line(answer: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check for a failure that says so in the last line, and nothing on stdout."""
    assert answer.returncode == 1
    assert answer.stdout == ""
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("setup: ")
    for part in parts:
        assert part in last


OWN = {"GUIDEARM_MICROPYTHON": "/mine"}


@needs_debian_keys
def test_a_fresh_checkout_is_made_whole_and_the_next_time_is_silent(checkout: Checkout) -> None:
    answer = checkout.setup()
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == ""
    assert "ready" in answer.stderr
    calls = checkout.called()
    assert installs(calls) == ["requirements-build.txt", "requirements.txt", "."]
    assert all("--require-hashes" in call for call in calls if call.endswith(".txt"))
    assert os.access(checkout.root / ".micropython" / "micropython", os.X_OK)
    assert not (checkout.root / ".setup").exists()

    again = checkout.setup()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert checkout.called() == []


def test_dev_adds_to_what_is_there(checkout: Checkout) -> None:
    checkout.setup(**OWN)
    checkout.called()
    assert checkout.setup("--dev", **OWN).returncode == 0
    assert installs(checkout.called()) == [
        "requirements-build.txt",
        "requirements-dev.txt",
        "firmware/requirements-stubs.txt",
    ]
    assert (checkout.root / ".typings" / "made").exists()
    for arguments in (["--dev"], []):
        assert checkout.setup(*arguments, **OWN).stderr == ""
    assert checkout.called() == []


@needs_debian_keys
def test_dev_adds_a_64_bit_interpreter_to_a_fetched_32_bit_one(checkout: Checkout) -> None:
    second = checkout.root / ".micropython64"
    checkout.setup()
    assert not second.exists()
    checkout.called()
    told = checkout.setup("--dev")
    assert told.returncode == 0
    assert "MicroPython 1.25 (amd64) into .micropython64" in told.stderr
    assert sum("apt update" in call for call in checkout.called()) == 1
    assert (second / "root" / "usr" / "lib" / "x86_64-linux-gnu").is_dir()
    assert checkout.setup("--dev").stderr == ""
    assert checkout.called() == []


@needs_debian_keys
def test_without_a_64_bit_interpreter_set_up_goes_on(checkout: Checkout) -> None:
    checkout.setup()
    told = checkout.setup("--dev", APT_SAYS="E: Could not resolve mirror.invalid")
    assert told.returncode == 0
    assert "word sizes are not compared" in told.stderr
    assert checkout.setup("--dev").stderr == ""


def test_a_changed_lock_is_installed_afresh(checkout: Checkout) -> None:
    checkout.setup(**OWN)
    (checkout.root / ".venv" / "left-over").touch()
    with (checkout.root / "requirements.txt").open("a") as lock:
        lock.write("# newer\n")
    checkout.called()
    assert checkout.setup(**OWN).returncode == 0
    assert "requirements.txt" in installs(checkout.called())
    assert not (checkout.root / ".venv" / "left-over").exists()


def test_a_changed_project_file_installs_the_project_alone(checkout: Checkout) -> None:
    checkout.setup(**OWN)
    with (checkout.root / "pyproject.toml").open("a") as project:
        project.write("# newer\n")
    checkout.called()
    assert checkout.setup(**OWN).returncode == 0
    assert installs(checkout.called()) == ["."]


def test_a_moved_checkout_is_made_anew(checkout: Checkout) -> None:
    checkout.setup(**OWN)
    checkout.called()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert checkout.setup(**OWN).returncode == 0
    assert "requirements.txt" in installs(checkout.called())


def test_after_a_failure_the_next_time_makes_it_whole(checkout: Checkout) -> None:
    assert checkout.setup(PIP_SAYS="ERROR: disk full", **OWN).returncode == 1
    assert checkout.setup(**OWN).returncode == 0
    assert installs(checkout.called())[1:] == ["requirements-build.txt", "requirements.txt", "."]


def test_no_network_for_pip(checkout: Checkout) -> None:
    says = "WARNING: Retrying after connection broken by NewConnectionError"
    one_line(checkout.setup(PIP_SAYS=says, **OWN), "no network", "run again")


def test_another_failure_of_pip_is_quoted(checkout: Checkout) -> None:
    one_line(checkout.setup(PIP_SAYS="ERROR: no space left", **OWN), "pip failed", "no space left")


def test_an_old_python(checkout: Checkout) -> None:
    answer = checkout.setup(TOO_OLD="1", VERSION="3.9")
    one_line(answer, "Python 3.11 or newer is needed, found 3.9", "PYTHON")
    assert len(answer.stderr.splitlines()) == 1


def test_a_newer_python_beside_an_old_one_is_taken(checkout: Checkout) -> None:
    shutil.copy(checkout.bin / "python3", checkout.bin / "python3.13")
    checkout.program("python3", "#!/bin/sh\nexit 1\n")
    answer = checkout.setup(VERSION="3.13", **OWN)
    assert answer.returncode == 0, answer.stderr
    assert "Python 3.13" in answer.stderr


def test_no_venv_module(checkout: Checkout) -> None:
    one_line(checkout.setup(NO_VENV="1"), "install python3-venv")


def test_a_named_python_that_is_absent(checkout: Checkout) -> None:
    one_line(checkout.setup(PYTHON="python9"), "PYTHON=python9 does not run")


def test_an_unknown_argument(checkout: Checkout) -> None:
    one_line(checkout.setup("--all"), "unknown argument '--all'")


@pytest.mark.parametrize("arguments", ["--rig", "--rig none", "--dev --rig"])
def test_a_rig_that_there_is_not(checkout: Checkout, arguments: str) -> None:
    one_line(checkout.setup(*arguments.split()), "unknown argument '--rig")


def test_several_rigs_with_the_test_tools(checkout: Checkout) -> None:
    answer = checkout.setup("--rig", "cortex-m", "--dev", "--rig", "pico", **OWN)
    assert answer.returncode == 0, answer.stderr
    calls = checkout.calls.read_text().splitlines()
    assert calls[-2:] == ["-m guidearm_hil.cortex_m.build", "-m guidearm_hil.pico.build"]
    assert any("requirements-dev.txt" in call for call in calls)


def test_the_checkouts_own_python_makes_no_other(checkout: Checkout) -> None:
    assert checkout.setup(**OWN).returncode == 0
    (checkout.root / "requirements.txt").write_text("another\n")
    (checkout.root / ".venv" / "bin" / "python3").symlink_to("python")
    activated = f"{checkout.root}/.venv/bin:{checkout.bin}"
    answer = checkout.setup(**OWN, PATH=activated)
    assert answer.returncode == 0, answer.stderr


def test_a_system_without_apt(checkout: Checkout) -> None:
    (checkout.bin / "apt-get").unlink()
    one_line(checkout.setup(), "no apt", "GUIDEARM_MICROPYTHON=/path", "PATH")


def test_a_system_without_apt_but_with_micropython(checkout: Checkout) -> None:
    (checkout.bin / "apt-get").unlink()
    checkout.program("micropython", "#!/bin/sh\n")
    answer = checkout.setup()
    assert answer.returncode == 0
    assert f"using {checkout.bin}/micropython instead" in answer.stderr
    assert checkout.setup().stderr == ""
    (checkout.bin / "micropython").unlink()
    one_line(checkout.setup(), "no apt")


def test_one_of_your_own_is_enough(checkout: Checkout) -> None:
    (checkout.bin / "apt-get").unlink()
    checkout.program("micropython", "#!/bin/sh\n")
    assert checkout.setup(**OWN).returncode == 0
    assert not (checkout.root / ".micropython").exists()


@needs_debian_keys
def test_no_debian_mirror(checkout: Checkout) -> None:
    one_line(checkout.setup(MIRRORS=""), "knows no Debian mirror", "GUIDEARM_MICROPYTHON")


@needs_debian_keys
def test_a_mirror_out_of_reach(checkout: Checkout) -> None:
    says = "Err:1 Temporary failure resolving 'mirror.invalid'"
    one_line(checkout.setup(APT_SAYS=says), "no network", "mirror.invalid", "run again")


@needs_debian_keys
def test_a_mirror_that_is_not_signed_is_not_used(checkout: Checkout) -> None:
    says = "E: The repository 'http://mirror.invalid trixie InRelease' is not signed."
    one_line(checkout.setup(APT_SAYS=says), "apt got no MicroPython", "is not signed")
    assert not (checkout.root / ".micropython").exists()


@needs_debian_keys
def test_security_mirrors_are_passed_over_and_others_tried_in_turn(checkout: Checkout) -> None:
    mirrors = "http://a.invalid/security main\nhttp://b.invalid contrib\n" + MIRROR
    assert checkout.setup(MIRRORS=mirrors).returncode == 0
    updates = [call for call in checkout.called() if call.startswith("apt update")]
    assert updates == ["apt update URIs: http://mirror.invalid/debian/"]


@needs_debian_keys
def test_a_machine_without_32_bit_support_gets_the_64_bit_one(checkout: Checkout) -> None:
    answer = checkout.setup(NO_32_BIT="yes")
    assert answer.returncode == 0, answer.stderr
    assert "does not run MicroPython for i386" in answer.stderr
    wrapper = (checkout.root / ".micropython" / "micropython").read_text()
    assert "x86_64-linux-gnu" in wrapper


@pytest.mark.parametrize("name", [name for name in COPIED if "requirements" in name])
def test_a_lock_holds_hashes_and_no_addresses(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    entries = text.replace("\\\n", "").splitlines()
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]* .*--hash=sha256:[0-9a-f]{64}", entry), entry
