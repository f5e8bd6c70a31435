"""Builds the rig: MicroPython for the Raspberry Pi Pico, the firmware frozen in, and its emulator.

`tools/setup --rig pico` runs it. The boot ROM is a stand-in of our own, see rom/rom.c.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from guidearm_hil.frozen_build import (
    COMPILING,
    CROSS_COMPILER,
    NEWLIB,
    Build,
    Headers,
    missing_packages,
    say,
    set_up,
)
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.image import (
    ALIGNMENT,
    BAUDS,
    RIG,
    ROM_SOURCES,
    files_at,
    image_name,
    other_ingredients,
)
from guidearm_tools.image import image_digest

_BOARD = "RPI_PICO"
_BESIDE = ("src:mbedtls", "pico-sdk-source", "tinyusb-source")
_PROGRAMS = {**COMPILING, "cmake": "cmake", "node": "nodejs", "npm": "npm"}
_LIBSTDCXX = Headers("libstdc++-arm-none-eabi-newlib", ("cstdlib",), "c++")
_EMULATOR = Path(__file__).with_name("emulator")
_BOOT_ROM_OPTIONS = (
    *("-mcpu=cortex-m0plus", "-mthumb", "-Os", "-nostdlib", "-ffreestanding", "-fno-builtin"),
    # its memcpy and memset are not to be made of calls of themselves
    "-fno-tree-loop-distribute-patterns",
)


def build() -> bool:
    """Make the rig what this checkout needs; return whether anything had to be done.

    Raises RigSetUpError, in one line, for missing packages, a network that does not answer and a
    build that fails.
    """
    missing = missing_packages(_PROGRAMS, [NEWLIB, _LIBSTDCXX])
    if missing:
        raise RigSetUpError(f"the rig pico needs packages: apt-get install {' '.join(missing)}")
    work = Build(RIG, _BESIDE)
    installed = _install_emulator(work)
    return work.run(_make_source, _make_program) or installed


def _install_emulator(build: Build) -> bool:
    """Install the emulator's locked packages and compile its processor, unless that was done."""
    sources = [_EMULATOR / "package-lock.json", *sorted((_EMULATOR / "processor").glob("*.ts"))]
    wanted = b"".join(path.read_bytes() for path in sources)
    made = _EMULATOR / "node_modules" / ".made-from"
    if made.is_file() and made.read_bytes() == wanted:
        return False
    say("installing the RP2040 emulator")
    build.call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], _EMULATOR)
    build.call(["npm", "run", "processor"], _EMULATOR)
    made.write_bytes(wanted)
    return True


def _make_source(build: Build) -> None:
    """Unpack the libraries where MicroPython looks for them, and build its cross compiler."""
    library = build.source / "lib"
    unpacked = build.folder / "sdk"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in build.packages.glob("*.deb"):
        build.call(["dpkg", "-x", str(package), str(unpacked)], build.folder)
    for name in ("tinyusb", "pico-sdk"):
        shutil.rmtree(library / name, ignore_errors=True)
        (unpacked / "usr" / "src" / name).rename(library / name)
    shutil.rmtree(unpacked)
    shutil.rmtree(library / "mbedtls", ignore_errors=True)
    build.unpack("mbedtls", library / "mbedtls")
    # the build looks for micropython-lib although it freezes nothing of it
    (library / "micropython-lib").mkdir(exist_ok=True)
    (library / "micropython-lib" / "README.md").touch()
    say("building mpy-cross")
    build.make(build.source / "mpy-cross")


def _make_program(build: Build) -> None:
    _make_rom(build)
    # the rig's own image comes last: what is frozen for it is what is left in the folder
    for baud in reversed(BAUDS):
        make_image(files_at(baud), build.folder / image_name(baud), build)


def make_image(files: Mapping[str, bytes], image: Path, build: Build | None = None) -> None:
    """Build an image with these files frozen in, once the rig is set up.

    Raises RigSetUpError when they cannot be compiled.
    """
    build = Build(RIG, _BESIDE) if build is None else build
    port = build.source / "ports" / "rp2"
    program = build.source / "build-rig"
    manifest = build.manifest('freeze("$(PORT_DIR)/modules", "rp2.py")\n', files)
    build.call(
        [
            *("cmake", "-S", str(port), "-B", str(program), f"-DMICROPY_BOARD={_BOARD}"),
            *("-DPICO_BUILD_DOCS=0", "-DPICO_NO_PICOTOOL=1"),
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-DMICROPY_FROZEN_MANIFEST={manifest}",
            f"-DUSER_C_MODULES={ALIGNMENT}",
        ],
        build.folder,
    )
    build.make(program)
    shutil.copyfile(program / "firmware.bin", image)


def image_with(files: Mapping[str, bytes]) -> Path:
    """Return an image with these files frozen in, built unless it was already.

    Raises RigSetUpError when the rig is not set up, or they cannot be compiled.
    """
    RIG.image()
    image = RIG.folder / "images" / f"{image_digest({**files, **other_ingredients()})}.bin"
    if not image.is_file():
        image.parent.mkdir(exist_ok=True)
        unfinished = image.with_suffix(".part")
        make_image(files, unfinished)
        unfinished.rename(image)
    return image


def _make_rom(build: Build) -> None:
    rom = build.folder / "rom.elf"
    sources = [str(path) for path in ROM_SOURCES if path.suffix != ".ld"]
    script = next(path for path in ROM_SOURCES if path.suffix == ".ld")
    build.call(
        [CROSS_COMPILER, *_BOOT_ROM_OPTIONS, f"-Wl,-T,{script}", "-o", str(rom), *sources, "-lgcc"],
        build.folder,
    )
    build.call(
        ["arm-none-eabi-objcopy", "-O", "binary", str(rom), str(build.folder / "rom.bin")],
        build.folder,
    )


if __name__ == "__main__":
    set_up(build)
