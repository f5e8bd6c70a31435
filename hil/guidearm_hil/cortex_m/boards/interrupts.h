/* What a port with interrupts of its own defines: sections that none of them enters. */
#ifndef GUIDEARM_INTERRUPTS_H
#define GUIDEARM_INTERRUPTS_H

#include <stdint.h>

static inline uint32_t guidearm_mask(void) {
    uint32_t state;
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(state) : : "memory");
    return state;
}

static inline void guidearm_unmask(uint32_t state) {
    __asm volatile("msr primask, %0" : : "r"(state) : "memory");
}

#define MICROPY_BEGIN_ATOMIC_SECTION() guidearm_mask()
#define MICROPY_END_ATOMIC_SECTION(state) guidearm_unmask(state)

#endif
