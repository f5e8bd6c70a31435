# QEMU's MPS2_AN385 with an interpreter made as the rp2 port makes its own, so that bytecode takes
# the instructions that it takes on a Pico: small code, but these three files for speed. Besides it
# has what the qemu port lacks, interrupts: modules/mps2.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an385
LDSCRIPT = mcu/arm/mps2.ld

CFLAGS += -mthumb -mfloat-abi=soft -DQEMU_SOC_MPS2 -DMICROPY_OPT_COMPUTED_GOTO=1
CFLAGS += -include $(BOARD_DIR)/../interrupts.h
override CSUPEROPT := -O2
$(BUILD)/py/map.o $(BUILD)/py/mpz.o: CFLAGS += -O2

USER_C_MODULES = $(BOARD_DIR)/../modules
SRC_C += shared/runtime/mpirq.c

# a Pico's, so that collecting garbage takes as long
MICROPY_HEAP_SIZE = 229376
