/* mps2: hard interrupts of the emulated MPS2, as a port with hardware of its own has them.
 *
 *   mps2.timer.irq(handler, hard=True)   the handler is called through MicroPython's mpirq.c, which
 *                                        is what rp2's pin, PIO and UART interrupts go through
 *   mps2.timer.start(period)             every `period` counts of 40 ns, that is 40 instructions
 *   mps2.timer.once(delay)               once, `delay` counts from now, to the instruction
 *   mps2.timer.started()                 what CMSDK timer 0 showed, modulo 2^30, as it started
 *   mps2.timer.stop()
 *   mps2.timer.expired()                 expiries that reached the processor since the start
 *
 *   mps2.line.play(traffic, period)      a byte of `traffic` every `period` counts, over and over,
 *                                        by an interrupt of its own into a ring: a UART that is fed
 *   mps2.line.readinto(buffer)           the bytes that came since, up to the buffer's length
 *   mps2.line.lost()                     bytes that found the ring full
 *   mps2.line.stop()
 *
 * The timer is CMSDK timer 1, the line's SysTick; CMSDK timer 0 is left to whoever counts. Both
 * interrupts have one priority, so a byte can delay the timer as it would on a chip.
 */

#include <string.h>

#include "py/runtime.h"
#include "shared/runtime/mpirq.h"

#define EXTERNAL 16 /* exceptions before the first interrupt */
#define TIMER_IRQ 9
#define SYSTICK_EXCEPTION 15
#define VECTORS 64
#define LINE_BYTES 512 /* a power of two */

#define VTOR (*(volatile uint32_t *)0xE000ED08)
#define NVIC_ENABLE ((volatile uint32_t *)0xE000E100)

typedef struct {
    volatile uint32_t control, value, reload, interrupt_clear;
} cmsdk_timer_t;

typedef struct {
    volatile uint32_t control, reload, value;
} systick_t;

#define COUNTER ((cmsdk_timer_t *)0x40000000)
#define TIMER ((cmsdk_timer_t *)0x40001000)
#define SYSTICK ((systick_t *)0xE000E010)
#define RUNS_AND_INTERRUPTS 9 /* CMSDK: enable, interrupt enable */
#define SYSTICK_RUNS 7        /* processor clock, interrupt, enable */

static uint32_t vectors[VECTORS] __attribute__((aligned(256)));

static void take_vectors(void) {
    if (VTOR != (uint32_t)vectors) {
        memcpy(vectors, (const void *)VTOR, EXTERNAL * sizeof(uint32_t));
        VTOR = (uint32_t)vectors;
    }
}

static uint32_t counts_of(mp_obj_t object, uint32_t most) {
    mp_int_t counts = mp_obj_get_int(object);
    if (counts < 1 || (uint32_t)counts > most) {
        mp_raise_ValueError(MP_ERROR_TEXT("counts"));
    }
    return counts;
}

/* ---- timer */

typedef struct {
    mp_obj_base_t base;
    volatile uint32_t expired;
    uint32_t started;
} timer_obj_t;

static timer_obj_t timer;

static void timer_handler(void) {
    TIMER->interrupt_clear = 1;
    ++timer.expired;
    mp_irq_handler(MP_STATE_PORT(mps2_timer_irq));
}

static mp_uint_t timer_trigger(mp_obj_t self, mp_uint_t trigger) {
    (void)self;
    if (trigger == 0) {
        TIMER->control = 0;
    }
    return 0;
}

static mp_uint_t timer_info(mp_obj_t self, mp_uint_t type) {
    (void)self;
    (void)type;
    return TIMER->control;
}

static const mp_irq_methods_t timer_methods = {timer_trigger, timer_info};

static mp_obj_t timer_irq(size_t n, const mp_obj_t *positional, mp_map_t *named) {
    mp_arg_val_t args[MP_IRQ_ARG_INIT_NUM_ARGS];
    mp_arg_parse_all(n - 1, positional + 1, named, MP_IRQ_ARG_INIT_NUM_ARGS, mp_irq_init_args, args);
    TIMER->control = 0;
    mp_irq_obj_t *irq = mp_irq_new(&timer_methods, positional[0]);
    irq->handler = args[MP_IRQ_ARG_INIT_handler].u_obj;
    irq->ishard = args[MP_IRQ_ARG_INIT_hard].u_bool;
    MP_STATE_PORT(mps2_timer_irq) = irq;
    take_vectors();
    vectors[EXTERNAL + TIMER_IRQ] = (uint32_t)timer_handler;
    NVIC_ENABLE[0] = 1u << TIMER_IRQ;
    return MP_OBJ_FROM_PTR(irq);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(timer_irq_obj, 1, timer_irq);

/* Without a reload the timer stops when it expires. */
static void run_timer(uint32_t value, uint32_t reload) {
    if (MP_STATE_PORT(mps2_timer_irq) == NULL) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("irq first"));
    }
    timer.expired = 0;
    TIMER->control = 0;
    TIMER->reload = reload;
    TIMER->value = value;
    uint32_t counter = COUNTER->value;
    TIMER->control = RUNS_AND_INTERRUPTS;
    timer.started = counter;
}

static mp_obj_t timer_start(mp_obj_t self, mp_obj_t period) {
    uint32_t counts = counts_of(period, UINT32_MAX);
    run_timer(counts - 1, counts - 1);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(timer_start_obj, timer_start);

static mp_obj_t timer_once(mp_obj_t self, mp_obj_t delay) {
    run_timer(counts_of(delay, UINT32_MAX), 0);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(timer_once_obj, timer_once);

static mp_obj_t timer_started(mp_obj_t self) {
    return MP_OBJ_NEW_SMALL_INT(timer.started & 0x3FFFFFFF);
}
static MP_DEFINE_CONST_FUN_OBJ_1(timer_started_obj, timer_started);

static mp_obj_t timer_stop(mp_obj_t self) {
    TIMER->control = 0;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(timer_stop_obj, timer_stop);

static mp_obj_t timer_expired(mp_obj_t self) {
    return mp_obj_new_int_from_uint(timer.expired);
}
static MP_DEFINE_CONST_FUN_OBJ_1(timer_expired_obj, timer_expired);

static const mp_rom_map_elem_t timer_table[] = {
    {MP_ROM_QSTR(MP_QSTR_irq), MP_ROM_PTR(&timer_irq_obj)},
    {MP_ROM_QSTR(MP_QSTR_start), MP_ROM_PTR(&timer_start_obj)},
    {MP_ROM_QSTR(MP_QSTR_once), MP_ROM_PTR(&timer_once_obj)},
    {MP_ROM_QSTR(MP_QSTR_started), MP_ROM_PTR(&timer_started_obj)},
    {MP_ROM_QSTR(MP_QSTR_stop), MP_ROM_PTR(&timer_stop_obj)},
    {MP_ROM_QSTR(MP_QSTR_expired), MP_ROM_PTR(&timer_expired_obj)},
};
static MP_DEFINE_CONST_DICT(timer_dict, timer_table);
static MP_DEFINE_CONST_OBJ_TYPE(
    timer_type, MP_QSTR_timer, MP_TYPE_FLAG_NONE, locals_dict, &timer_dict);
static timer_obj_t timer = {{&timer_type}};

/* ---- line */

typedef struct {
    mp_obj_base_t base;
    const uint8_t *traffic;
    size_t length, next;
    volatile uint32_t head, tail, lost;
    uint8_t bytes[LINE_BYTES];
} line_obj_t;

static line_obj_t line;

static void line_handler(void) {
    uint8_t byte = line.traffic[line.next];
    line.next = line.next + 1 < line.length ? line.next + 1 : 0;
    if (line.head - line.tail < LINE_BYTES) {
        line.bytes[line.head % LINE_BYTES] = byte;
        ++line.head;
    } else {
        ++line.lost;
    }
}

static mp_obj_t line_play(mp_obj_t self, mp_obj_t traffic, mp_obj_t period) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(traffic, &info, MP_BUFFER_READ);
    if (info.len == 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("no traffic"));
    }
    uint32_t counts = counts_of(period, 1u << 24);
    SYSTICK->control = 0;
    MP_STATE_PORT(mps2_traffic) = traffic;
    line.traffic = info.buf;
    line.length = info.len;
    line.next = line.head = line.tail = line.lost = 0;
    take_vectors();
    vectors[SYSTICK_EXCEPTION] = (uint32_t)line_handler;
    SYSTICK->reload = counts - 1;
    SYSTICK->value = 0;
    SYSTICK->control = SYSTICK_RUNS;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(line_play_obj, line_play);

static mp_obj_t line_readinto(mp_obj_t self, mp_obj_t buffer) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(buffer, &info, MP_BUFFER_WRITE);
    uint8_t *into = info.buf;
    size_t n = 0;
    while (n < info.len && line.tail != line.head) {
        into[n++] = line.bytes[line.tail % LINE_BYTES];
        ++line.tail;
    }
    return MP_OBJ_NEW_SMALL_INT(n);
}
static MP_DEFINE_CONST_FUN_OBJ_2(line_readinto_obj, line_readinto);

static mp_obj_t line_lost(mp_obj_t self) {
    return mp_obj_new_int_from_uint(line.lost);
}
static MP_DEFINE_CONST_FUN_OBJ_1(line_lost_obj, line_lost);

static mp_obj_t line_stop(mp_obj_t self) {
    SYSTICK->control = 0;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(line_stop_obj, line_stop);

static const mp_rom_map_elem_t line_table[] = {
    {MP_ROM_QSTR(MP_QSTR_play), MP_ROM_PTR(&line_play_obj)},
    {MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&line_readinto_obj)},
    {MP_ROM_QSTR(MP_QSTR_lost), MP_ROM_PTR(&line_lost_obj)},
    {MP_ROM_QSTR(MP_QSTR_stop), MP_ROM_PTR(&line_stop_obj)},
};
static MP_DEFINE_CONST_DICT(line_dict, line_table);
static MP_DEFINE_CONST_OBJ_TYPE(
    line_type, MP_QSTR_line, MP_TYPE_FLAG_NONE, locals_dict, &line_dict);
static line_obj_t line = {{&line_type}};

/* ---- module */

static const mp_rom_map_elem_t mps2_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_mps2)},
    {MP_ROM_QSTR(MP_QSTR_timer), MP_ROM_PTR(&timer)},
    {MP_ROM_QSTR(MP_QSTR_line), MP_ROM_PTR(&line)},
};
static MP_DEFINE_CONST_DICT(mps2_dict, mps2_table);
const mp_obj_module_t mps2_module = {{&mp_type_module}, (mp_obj_dict_t *)&mps2_dict};

MP_REGISTER_MODULE(MP_QSTR_mps2, mps2_module);
MP_REGISTER_ROOT_POINTER(struct _mp_irq_obj_t *mps2_timer_irq);
MP_REGISTER_ROOT_POINTER(mp_obj_t mps2_traffic);
