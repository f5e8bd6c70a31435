include $(BOARD_DIR)/../common.mk

CFLAGS += -mcpu=cortex-m3 -DMICROPY_HW_MCU_NAME='"Cortex-M3"'
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7m
