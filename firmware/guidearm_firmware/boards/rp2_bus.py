"""The RS-485 bus: frames out at an instant, bytes in with the instant of each.

Out: a PIO state machine owns both the data and the direction pin. It is given a number of its
cycles to wait and the bytes, and needs no more of the processor: it raises the direction pin,
sends, and lets go of it as the last stop bit ends, to the cycle.

In: the UART, emptied by two DMA channels that start each other. One takes a byte into a ring, the
other takes the time for it into a ring of its own. So a byte's instant does not depend on what the
processor was doing, nothing is lost while interrupts are off, and no byte costs an instruction.

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
_WORDS = const(15)
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
    nop().side(1)[1]  # or 3 to the end
    wrap()


@micropython.viper
def _take(line: object, buffer: object, room: int, received: object) -> int:
    """Move bytes to buffer, up to and with a delimiter; return how many.

    So a frame that another follows closely has the instant of its own last byte.
    """
    w = ptr32(line)
    tail = w[_TAIL]
    head = (ptr32(w[_STAMPED])[0] - w[_STAMPS]) >> 2
    source = ptr8(w[_BYTES])
    target = ptr8(buffer)
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


@micropython.viper
def _waiting(line: object) -> int:
    """Tell whether a frame has ended, or so much has arrived without an end that it is none.

    A part of a frame is left where it is: to take it would make the main loop late for the end.
    """
    w = ptr32(line)
    head = (ptr32(w[_STAMPED])[0] - w[_STAMPS]) >> 2
    source = ptr8(w[_BYTES])
    seen = w[_SEEN]
    while seen != head and source[seen] != 0:
        seen = (seen + 1) & (_RING - 1)
    w[_SEEN] = seen
    if seen != head:
        return 1
    return 1 if (head - w[_TAIL]) & (_RING - 1) >= _MOST_BYTES else 0


@micropython.viper
def _discard(line: object) -> object:
    """Forget what has arrived."""
    w = ptr32(line)
    head = (ptr32(w[_STAMPED])[0] - w[_STAMPS]) >> 2
    w[_TAIL] = head
    w[_SEEN] = head


@micropython.viper
def _busy(line: object) -> int:
    """Tell what the sender does: 0 nothing, 1 wait for its instant, 2 transmit."""
    w = ptr32(line)
    if ptr32(w[_GPIO_IN])[0] & w[_DIRECTION] != 0:
        return 2
    idle = ptr32(w[_PC])[0] == w[_IDLE_PC] and ptr32(w[_FIFO_STATUS])[0] & _TX_EMPTY != 0
    return 0 if idle else 1


@micropython.viper
def _copy(line: object, buffer: object, n: int) -> object:
    """Put buffer[:n] where the DMA takes it from: the caller may go on with its own."""
    source = ptr8(buffer)
    target = ptr8(ptr32(line)[_OUT])
    i = 0
    while i < n:
        target[i] = source[i]
        i += 1


@micropython.viper
def _begin(line: object, n: int, at_us: int, late_us: int) -> int:
    """Hand over to the state machine, unless it is too late: then return 0.

    Interrupts must be off, or the instant would slip.
    """
    w = ptr32(line)
    fifo = ptr32(w[_FIFO])
    now = ptr32(w[_CLOCK])[0]
    ahead = ((at_us - now + _HALF_TIME) & _TIME) - _HALF_TIME - _LEAD_US
    if ahead + late_us < 0:
        return 0
    cycles = ahead * w[_CYCLES_PER_US] - _LEAD_CYCLES
    fifo[0] = cycles if cycles > 0 else 0
    fifo[0] = n - 1
    dma = ptr32(w[_COUNT])
    dma[0] = n
    dma[1] = w[_OUT]
    return 1


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

    def waiting(self) -> bool:
        """Tell whether a frame has ended that was not read, or what is none has piled up."""
        return _waiting(self._line) != 0

    def read(self, buffer: bytearray, received: "array[int]") -> int:
        """Move received bytes, of one frame at most, into buffer; return how many.

        With any, received[0] becomes the joint clock at the end of the last one.
        """
        return _take(self._line, buffer, len(buffer), received)

    def discard(self) -> None:
        """Forget what has arrived."""
        _discard(self._line)

    def write(self, buffer: bytearray, n: int, at_us: int, late_us: int) -> bool:
        """Transmit buffer[:n], beginning at an instant of the joint clock or at once if late.

        If it could only begin more than late_us after it, transmit nothing and return False.
        What still waits for its instant gives way; what is on the wire is let out first.
        """
        line = self._line
        while True:
            busy = _busy(line)
            if busy == 0:
                break
            if busy == 1:
                self._recall()
        _copy(line, buffer, n)
        interrupts = machine.disable_irq()
        begun = _begin(line, n, at_us, late_us)
        machine.enable_irq(interrupts)
        return begun != 0

    def _recall(self) -> None:
        """Have the state machine forget what it waits to send."""
        sender = self._sender
        sender.active(0)
        if _busy(self._line) == 1:
            self._bytes_out.active(0)
            for _ in range(8):
                sender.exec(0x8080)  # pull(noblock): the FIFO is empty after as many as it holds
            sender.restart()
        sender.active(1)
