# QEMU's MPS2_AN385 with an interpreter made as the rp2 port makes its own, so that bytecode takes
# the instructions that it takes on a Pico: small code, but these three files for speed.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an385
LDSCRIPT = mcu/arm/mps2.ld

CFLAGS += -mthumb -mfloat-abi=soft -DQEMU_SOC_MPS2 -DMICROPY_OPT_COMPUTED_GOTO=1
override CSUPEROPT := -O2
$(BUILD)/py/map.o $(BUILD)/py/mpz.o: CFLAGS += -O2
