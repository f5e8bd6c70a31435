"""The rig `cortex-m`: the firmware frozen into MicroPython for a Cortex-M in QEMU.

It is built twice, as code for a Cortex-M3 and for a Cortex-M0+. Its clock counts instructions, so
what it measures is exact and the same on every machine. It has no motor and no bus; `on_target`
holds what runs there, `boards` how MicroPython is built for it.
"""
