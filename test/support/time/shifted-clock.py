"""Runs a program whose wall clock is wrong: shifted-clock.py SECONDS PROGRAM [ARGUMENT...]

libfaketime replaces functions of libc, which a static Go program such as MinIO never calls: it reads the clock through the code that the
kernel maps into every process (the vDSO). This script replaces that code, so any program sees the shifted clock. The program keeps this
script's process id: a child traces the process up to its exec, patches `clock_gettime` and `gettimeofday`, and detaches. Linux on x86-64
only. Monotonic clocks stay as they are.
"""
import ctypes
import os
import platform
import struct
import sys

SEIZE, CONT, DETACH, TRACE_EXEC = 0x4206, 7, 17, 0x10
SET_PTRACER = 0x59616D61
EXEC_STOP = 5 | 4 << 8  # SIGTRAP, PTRACE_EVENT_EXEC
WAIT_ALL = 0x40000000
AT_SYSINFO_EHDR = 33

libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, pid, data=0):
    libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, pid, None, data) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def vdso_address(pid):
    with open(f"/proc/{pid}/auxv", "rb") as file:
        for kind, value in struct.iter_unpack("QQ", file.read()):
            if kind == AT_SYSINFO_EHDR:
                return value
    raise RuntimeError("the process has no vDSO")


def symbols(image):
    """Yields name and offset of each dynamic symbol of an ELF image."""
    offset, = struct.unpack_from("Q", image, 40)
    size, count = struct.unpack_from("HH", image, 58)
    sections = [struct.unpack_from("IIQQQQIIQQ", image, offset + size * index) for index in range(count)]
    table = next(section for section in sections if section[1] == 11)
    names = sections[table[6]]
    for at in range(table[4], table[4] + table[5], 24):
        name, _, _, _, value, _ = struct.unpack_from("IBBHQQ", image, at)
        start = names[4] + name
        yield image[start : image.index(b"\0", start)].decode(), value


def code(system_call, only_for_wall_clock, seconds, result):
    """Returns machine code that makes the real system call and then, if it reads the wall clock, adds the seconds to the result."""
    head = b"\xb8" + struct.pack("<I", system_call) + b"\x0f\x05"  # mov eax, number; syscall
    # add qword [result], seconds
    move = (b"\x48\x81\x06" if result == "rsi" else b"\x48\x81\x07") + struct.pack("<i", seconds)
    skip = b"\x85\xff\x75" + bytes([len(move)]) if only_for_wall_clock else b""  # test edi, edi; jnz
    return head + skip + move + b"\xc3"


def patch(pid, seconds):
    base = vdso_address(pid)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(base)
        found = dict(symbols(memory.read(8192)))
        for name, replacement in {
            "__vdso_clock_gettime": code(228, True, seconds, "rsi"),
            "__vdso_gettimeofday": code(96, False, seconds, "rdi"),
        }.items():
            memory.seek(base + found[name])
            memory.write(replacement)


def trace(pid, seconds, ready):
    ptrace(SEIZE, pid, TRACE_EXEC)
    os.write(ready, b".")
    # Signals stop the process as well, and are passed on to it.
    while (stop := os.waitpid(pid, WAIT_ALL)[1] >> 8) != EXEC_STOP:
        ptrace(CONT, pid, stop & 0x7F)
    patch(pid, seconds)
    ptrace(DETACH, pid)


def main():
    if platform.machine() != "x86_64" or sys.platform != "linux":
        sys.exit("shifted-clock: needs Linux on x86-64")
    seconds, program = int(sys.argv[1]), sys.argv[2:]
    started, ready = os.pipe()
    target = os.getpid()
    if os.fork() == 0:
        os.close(started)
        # A grandchild, so that the program does not have to wait for it.
        if os.fork() == 0:
            trace(target, seconds, ready)
        os._exit(0)
    os.close(ready)
    os.wait()
    libc.prctl(SET_PTRACER, ctypes.c_ulong(-1).value, 0, 0, 0)
    if os.read(started, 1) != b".":
        sys.exit("shifted-clock: this machine does not let one process trace another")
    os.execvp(program[0], program)


main()
