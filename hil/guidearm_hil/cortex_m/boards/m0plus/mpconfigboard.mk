# The emulated core is a Cortex-M3, which runs the M0+'s instructions all the same. No emulated M0
# has the memory, and counts do not depend on the core.
include $(BOARD_DIR)/../common.mk

CFLAGS += -mcpu=cortex-m0plus -DMICROPY_HW_MCU_NAME='"Cortex-M0+"'
CFLAGS += -DMICROPY_EMIT_THUMB_ARMV7M=0 -DMICROPY_EMIT_INLINE_THUMB_FLOAT=0
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb1.o
MPY_CROSS_FLAGS += -march=armv6m

# MicroPython 1.25 aligns frozen code to two bytes, but this code loads its literals relative to a
# program counter rounded to four: half the functions would compute with other numbers.
$(BUILD)/frozen_content.o: CFLAGS += '-Daligned(bytes)=__aligned__(4)'
