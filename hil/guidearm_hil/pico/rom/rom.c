/* The functions of the emulated RP2040's boot ROM, as far as the Pico SDK calls them.
 *
 * The genuine ROM is not ours to pass on. What a boot ROM has to offer is in the RP2040 datasheet,
 * section 2.8.3; here it is in plain C over libgcc's arithmetic. Flash is the emulator's: the two
 * functions that change it are breakpoints (tables.S), as are those that nothing here calls.
 */
#include <stdint.h>

void *rom_memcpy(void *to, const void *from, uint32_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((((uintptr_t)t | (uintptr_t)f) & 3) == 0) {
        for (; n >= 4; n -= 4, t += 4, f += 4)
            *(uint32_t *)t = *(const uint32_t *)f;
    }
    while (n--)
        *t++ = *f++;
    return to;
}

void *rom_memset(void *to, int value, uint32_t n)
{
    uint8_t *t = to;
    uint32_t word = (uint8_t)value * 0x01010101u;
    for (; n && ((uintptr_t)t & 3); n--)
        *t++ = value;
    for (; n >= 4; n -= 4, t += 4)
        *(uint32_t *)t = word;
    while (n--)
        *t++ = value;
    return to;
}

uint32_t rom_popcount32(uint32_t x)
{
    x -= (x >> 1) & 0x55555555;
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f;
    return (x * 0x01010101) >> 24;
}

uint32_t rom_clz32(uint32_t x)
{
    uint32_t n = 0;
    if (x == 0)
        return 32;
    for (; !(x & 0x80000000); x <<= 1)
        n++;
    return n;
}

uint32_t rom_ctz32(uint32_t x)
{
    return x ? 31 - rom_clz32(x & -x) : 32;
}

uint32_t rom_reverse32(uint32_t x)
{
    x = ((x >> 1) & 0x55555555) | ((x & 0x55555555) << 1);
    x = ((x >> 2) & 0x33333333) | ((x & 0x33333333) << 2);
    x = ((x >> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
    x = ((x >> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
    return (x >> 16) | (x << 16);
}

void *rom_lookup(const uint16_t *table, uint32_t code)
{
    for (; table[0]; table += 2) {
        if (table[0] == code)
            return (void *)(uintptr_t)table[1];
    }
    return 0;
}

void rom_nothing(void)
{
}

/* ---- floating point: out of range saturates, fractions round towards minus infinity */

static int64_t floor64(double x)
{
    int64_t i = (int64_t)x;
    return (double)i > x ? i - 1 : i;
}

int32_t rom_double2int(double x)
{
    if (x >= 2147483648.0)
        return INT32_MAX;
    return x < -2147483648.0 ? INT32_MIN : (int32_t)floor64(x);
}

uint32_t rom_double2uint(double x)
{
    if (x >= 4294967296.0)
        return UINT32_MAX;
    return x <= 0 ? 0 : (uint32_t)(uint64_t)x;
}

int64_t rom_double2int64(double x)
{
    if (x >= 9223372036854775808.0)
        return INT64_MAX;
    return x < -9223372036854775808.0 ? INT64_MIN : floor64(x);
}

uint64_t rom_double2uint64(double x)
{
    if (x >= 18446744073709551616.0)
        return UINT64_MAX;
    return x <= 0 ? 0 : (uint64_t)x;
}

/* Newton from half the exponent: six steps reach the last bit or the one beside it. */
double rom_dsqrt(double x)
{
    union { double d; uint64_t u; } start = { x };
    if (!(x > 0))
        return x;
    start.u = (start.u >> 1) + ((uint64_t)0x3ff << 51);
    double y = start.d;
    for (int i = 0; i < 6; i++)
        y = 0.5 * (y + x / y);
    return y;
}

int32_t rom_float2int(float x) { return rom_double2int(x); }
uint32_t rom_float2uint(float x) { return rom_double2uint(x); }
int64_t rom_float2int64(float x) { return rom_double2int64(x); }
uint64_t rom_float2uint64(float x) { return rom_double2uint64(x); }
float rom_fsqrt(float x) { return (float)rom_dsqrt(x); }
