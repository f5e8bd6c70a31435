"""The RS-485 bus: frames out at an instant, bytes in with the instant of each.

Out: a PIO state machine owns both the data and the direction pin. It is given a number of its
cycles to wait and the bytes, and needs no more of the processor: it raises the direction pin,
sends, and lets go of it an eighth of a bit behind the last stop bit: not before its end, at any
rate.

In: the UART, emptied by two DMA channels that start each other. One takes a byte into a ring, the
other takes the time for it into a ring of its own. So a byte's instant does not depend on what the
processor was doing, and nothing is lost while interrupts are off. Between bytes the main loop
sleeps.

DE and /RE of the transceiver are one pin, so a joint does not hear itself.
"""

from array import array

import machine
import micropython
import rp2
import uctypes
from micropython import const

import rp2_chip as chip
from rp2_pins import GPIO

# ruff: noqa: F405  the assembler's words are there only while it assembles
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rp2.asm_pio import *  # noqa: F403

_MACHINE = 4  # the first of PIO 1
_BIT_CYCLES = const(8)
_BAUD_STEP = const(125000)  # of which a whole number makes a whole number of cycles a microsecond
_MOST_BYTES = const(256)
# from the first word's arrival to the first start bit, and from reading the time to that word
_LEAD_CYCLES = const(14)
_LEAD_US = const(1)

_RING_BITS = const(9)
_RING = const(1 << 9)
_TIME = const(0x3FFFFFFF)
_HALF_TIME = const(0x20000000)

# words of `_line`
_CLOCK = const(0)  # address of the time
_STAMPED = const(1)  # address of where the next stamp goes
_STAMPS = const(2)
_BYTES = const(3)
_TAIL = const(4)
_FIFO = const(5)
_PC = const(6)  # address of the program counter
_IDLE_PC = const(7)
_COUNT = const(8)  # address of the DMA's count; two words on, the one that starts it
_OUT = const(9)
_CYCLES_PER_US = const(10)
_GPIO_IN = const(11)
_DIRECTION = const(12)
_FIFO_STATUS = const(13)
_SEEN = const(14)  # up to where there is no delimiter behind the tail
_TAKEN = const(15)  # address of the flags of channels that are done
_TAKEN_FLAG = const(16)
_PENDING = const(17)  # address of pending interrupts
_PENDING_FLAG = const(18)
_WORDS = const(19)
_TX_EMPTY = const(1 << 24)


@rp2.asm_pio(
    out_init=rp2.PIO.OUT_HIGH,
    set_init=rp2.PIO.OUT_HIGH,
    sideset_init=rp2.PIO.OUT_LOW,
    out_shiftdir=rp2.PIO.SHIFT_RIGHT,
    fifo_join=rp2.PIO.JOIN_TX,
)
def _send() -> None:
    wrap_target()
    pull(block).side(0)  # cycles to wait
    mov(x, osr).side(0)
    label("wait")
    jmp(x_dec, "wait").side(0)
    pull(block).side(0)  # bytes, less one
    mov(y, osr).side(1)[7]  # the line is driven for a bit before it moves
    label("byte")
    pull(block).side(1)
    set(x, 7).side(1)
    set(pins, 0).side(1)[7]
    label("bit")
    out(pins, 1).side(1)
    jmp(x_dec, "bit").side(1)[6]
    set(pins, 1).side(1)[4]  # the stop bit: 5 cycles, and 3 to the next start bit
    jmp(y_dec, "byte").side(1)
    nop().side(1)[2]  # or 3 to the end, and one for what a divider's fraction may be off
    wrap()


@micropython.asm_thumb
def _wait_for_event() -> int:  # pyright: ignore[reportReturnType]
    data(2, 0xBF20)  # pyright: ignore  # wfe, which the assembler does not know


@micropython.viper
def _rest(line: object, wait_for_event: object) -> int:
    """Sleep until a frame has ended, or so much has come without an end that it is none: 1.

    0 if something else has interrupted it. A part of a frame is left where it is: to take it would
    make the main loop late for the end. A byte makes an interrupt pending that is not enabled,
    which is an event; so one that comes after the ring was looked at ends the sleep all the same.
    """
    w = ptr32(line)
    flags = ptr32(w[_TAKEN])
    source = ptr8(w[_BYTES])
    come = 1
    while come != 0:
        flags[0] = w[_TAKEN_FLAG]
        ptr32(w[_PENDING])[0] = w[_PENDING_FLAG]
        head = (ptr32(w[_STAMPED])[0] - w[_STAMPS]) >> 2
        seen = w[_SEEN]
        while seen != head:
            if source[seen] != 0:
                seen = (seen + 1) & (_RING - 1)
            elif seen == w[_TAIL] and source[(seen - 1) & (_RING - 1)] == 0:
                # a delimiter behind another: what it ends is nothing
                seen = (seen + 1) & (_RING - 1)
                w[_TAIL] = seen
            else:
                w[_SEEN] = seen
                return 1
        w[_SEEN] = seen
        if (head - w[_TAIL]) & (_RING - 1) >= _MOST_BYTES:
            return 1
        # a byte between the two that were cleared leaves pending what makes no further event
        if flags[0] & w[_TAKEN_FLAG] == 0:
            wait_for_event()  # pyright: ignore
        come = flags[0] & w[_TAKEN_FLAG]
    return 0


@micropython.viper
def _discard(line: object) -> object:
    """Forget what has arrived."""
    w = ptr32(line)
    head = (ptr32(w[_STAMPED])[0] - w[_STAMPS]) >> 2
    w[_TAIL] = head
    w[_SEEN] = head


def _reader(line: "array[int]") -> "Callable[[bytearray, array[int]], int]":
    """Return what takes received bytes. Viper is sooner done with an address than with names."""
    address = uctypes.addressof(line)

    @micropython.viper
    def read(buffer: object, received: object) -> int:
        w = ptr32(int(address))
        tail = w[_TAIL]
        head = (ptr32(w[_STAMPED])[0] - w[_STAMPS]) >> 2
        source = ptr8(w[_BYTES])
        target = ptr8(buffer)
        room = int(len(buffer))  # noqa: RUF046  # pyright: ignore  an object to viper
        n = 0
        more = 1
        last = tail
        while tail != head and n < room and more != 0:
            more = source[tail]
            target[n] = more
            n += 1
            last = tail
            tail = (tail + 1) & (_RING - 1)
        w[_TAIL] = tail
        w[_SEEN] = tail
        if n != 0:
            ptr32(received)[0] = ptr32(w[_STAMPS])[last] & _TIME
        return n

    return read


def _writer(
    line: "array[int]", recall: "Callable[[], None]"
) -> "Callable[[bytearray, int, int, int], bool]":
    """Return what transmits; `recall` makes the state machine forget what it waits to send."""
    # one object: a call with more than five, arguments included, would take memory
    parts = (uctypes.addressof(line), recall, machine.disable_irq, machine.enable_irq)

    @micropython.viper
    def write(buffer: object, n: int, at_us: int, late_us: int) -> bool:
        w = ptr32(int(parts[0]))
        levels = ptr32(w[_GPIO_IN])
        status = ptr32(w[_FIFO_STATUS])
        counter = ptr32(w[_PC])
        while True:
            if levels[0] & w[_DIRECTION] == 0:
                if counter[0] == w[_IDLE_PC] and status[0] & _TX_EMPTY != 0:
                    break
                parts[1]()
        # where the DMA takes it from: the caller may go on with its own
        source = ptr8(buffer)
        target = ptr8(w[_OUT])
        i = 0
        while i < n:
            target[i] = source[i]
            i += 1
        fifo = ptr32(w[_FIFO])
        dma = ptr32(w[_COUNT])
        begun = 0
        interrupts = parts[2]()  # or the instant would slip
        now = ptr32(w[_CLOCK])[0]
        ahead = ((at_us - now + _HALF_TIME) & _TIME) - _HALF_TIME - _LEAD_US
        if ahead + late_us >= 0:
            cycles = ahead * w[_CYCLES_PER_US] - _LEAD_CYCLES
            fifo[0] = cycles if cycles > 0 else 0
            fifo[0] = n - 1
            dma[0] = n
            dma[1] = w[_OUT]
            begun = 1
        parts[3](interrupts)
        return begun != 0

    return write


def _channel(dma: rp2.DMA) -> int:
    """Return a channel's number."""
    return dma.channel  # pyright: ignore  # the published stub lacks it


class Bus:
    """Half-duplex bytes at a baud rate."""

    def __init__(self, baud: int) -> None:
        """Listen. Raises ValueError for a rate that is no multiple of 125,000 baud."""
        if baud % _BAUD_STEP:
            raise ValueError("%d baud: must be a multiple of %d" % (baud, _BAUD_STEP))
        self._line = line = array("I", [0] * _WORDS)
        self._listen(baud)
        self._prepare(baud)
        line[_CLOCK] = chip.TIME_US
        line[_GPIO_IN] = chip.GPIO_IN
        line[_DIRECTION] = 1 << GPIO["bus_direction"]
        self._wake_by_bytes()
        self.read = _reader(line)
        """Move received bytes, of one frame at most, into a buffer; return how many.

        With any, the second argument's first word becomes the joint clock at the end of the last.
        """
        self.write = _writer(line, self._recall)
        """Transmit n bytes of a buffer, beginning at an instant or at once if late.

        If it could only begin more than late_us after it, transmit nothing and return False.
        What still waits for its instant gives way; what is on the wire is let out first.
        """

    def _listen(self, baud: int) -> None:
        """Set off the UART and the two channels that empty it."""
        receive = machine.Pin(GPIO["bus_receive"], machine.Pin.IN, machine.Pin.PULL_UP)
        self._uart = machine.UART(
            0, baud, tx=machine.Pin(GPIO["bus_transmit"]), rx=receive, rxbuf=32
        )
        machine.mem32[chip.UART0 + 0x38] = 0  # UARTIMSC: the bytes are not for its interrupt
        machine.mem32[chip.UART0 + 0x48] = 1  # UARTDMACR: RXDMAE
        # rings wrap at multiples of their size: stamps first, then bytes, in memory for twice that
        size = 5 * _RING
        self._rings = bytearray(size + 4 * _RING)
        stamps = (uctypes.addressof(self._rings) + 4 * _RING - 1) & -(4 * _RING)
        data = stamps + 4 * _RING
        self._bytes_in, self._stamps_in = rp2.DMA(), rp2.DMA()
        self._stamps_in.config(
            read=chip.TIME_US,
            write=stamps,
            count=1,
            ctrl=self._stamps_in.pack_ctrl(
                size=2,
                inc_read=False,
                ring_sel=True,
                ring_size=_RING_BITS + 2,
                treq_sel=chip.UNPACED,
                irq_quiet=False,
                chain_to=_channel(self._bytes_in),
            ),
        )
        self._bytes_in.config(
            read=chip.UART0,
            write=data,
            count=1,
            ctrl=self._bytes_in.pack_ctrl(
                size=0,
                inc_read=False,
                ring_sel=True,
                ring_size=_RING_BITS,
                treq_sel=chip.UART0_RECEIVED,
                chain_to=_channel(self._stamps_in),
            ),
            trigger=True,
        )
        self._line[_STAMPS] = stamps
        self._line[_BYTES] = data
        self._line[_STAMPED] = chip.DMA + 0x40 * _channel(self._stamps_in) + 4  # WRITE_ADDR

    def _wake_by_bytes(self) -> None:
        """Have each byte's stamp make an interrupt pending, and that end a sleep."""
        line = self._line
        line[_TAKEN] = chip.DMA + chip.DMA_STATUS_1
        line[_TAKEN_FLAG] = flag = 1 << _channel(self._stamps_in)
        line[_PENDING] = chip.PENDING
        line[_PENDING_FLAG] = 1 << chip.DMA_INTERRUPT_1
        machine.mem32[chip.DMA + chip.DMA_ENABLE_1] = flag
        machine.mem32[chip.SYSTEM_CONTROL] |= chip.EVENT_WHEN_PENDING

    def _prepare(self, baud: int) -> None:
        """Set off the state machine that sends, and the channel that feeds it."""
        transmit = machine.Pin(GPIO["bus_transmit"])
        self._sender = rp2.StateMachine(
            _MACHINE,
            _send,
            freq=_BIT_CYCLES * baud,
            out_base=transmit,
            set_base=transmit,
            sideset_base=machine.Pin(GPIO["bus_direction"]),
        )
        self._sender.active(1)
        self._buffer = bytearray(_MOST_BYTES)
        self._bytes_out = rp2.DMA()
        self._bytes_out.config(
            write=chip.PIO1 + chip.TRANSMIT_FIFO,
            ctrl=self._bytes_out.pack_ctrl(
                size=0,
                inc_write=False,
                ring_size=0,
                treq_sel=chip.PIO1_TRANSMIT,
                chain_to=_channel(self._bytes_out),
            ),
        )
        line = self._line
        line[_FIFO] = chip.PIO1 + chip.TRANSMIT_FIFO
        line[_FIFO_STATUS] = chip.PIO1 + chip.FIFO_STATUS
        line[_PC] = chip.PIO1 + chip.MACHINE_0_ADDRESS
        line[_IDLE_PC] = _send[2]  # where PIO 1 has the program
        # TRANS_COUNT and READ_ADDR_TRIG of alias 3 stand beside each other
        line[_COUNT] = chip.DMA + 0x40 * _channel(self._bytes_out) + 0x38
        line[_OUT] = uctypes.addressof(self._buffer)
        line[_CYCLES_PER_US] = _BIT_CYCLES * (baud // _BAUD_STEP) // 8

    def rest(self) -> bool:
        """Sleep until there is a frame to read, or something to pile up that is none: then True.

        False when an interrupt came before.
        """
        return _rest(self._line, _wait_for_event) != 0

    def discard(self) -> None:
        """Forget what has arrived."""
        _discard(self._line)

    def _recall(self) -> None:
        """Have the state machine forget what it waits to send, unless it has begun to."""
        sender = self._sender
        sender.active(0)
        if not machine.mem32[chip.GPIO_IN] & self._line[_DIRECTION]:
            self._bytes_out.active(0)
            for _ in range(8):
                sender.exec(0x8080)  # pull(noblock): the FIFO is empty after as many as it holds
            sender.restart()
        sender.active(1)
