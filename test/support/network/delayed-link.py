"""Joins two network namespaces by a link that delays every packet. It does not use tc netem, which many kernels lack.

Runs in the first namespace: delayed-link.py SECONDS OTHER_NAMESPACE. Creates the TUN devices `near`, in this namespace, and `far`, in the
other one, then prints "ready"; the caller assigns their addresses. Ends with its caller: when stdin is closed.
"""

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
LARGEST_PACKET = 65536


def make_tun(name):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def forward(pairs, delay):
    held = collections.deque()
    while True:
        wait = None if not held else max(0, held[0][0] - time.monotonic())
        readable, _, _ = select.select([*pairs, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            return
        for source in readable:
            held.append((time.monotonic() + delay, pairs[source], os.read(source, LARGEST_PACKET)))
        while held and held[0][0] <= time.monotonic():
            _, target, packet = held.popleft()
            os.write(target, packet)


near, far = make_tun("near"), make_tun("far")
subprocess.run(["ip", "link", "set", "far", "netns", sys.argv[2]], check=True)
print("ready", flush=True)
try:
    forward({near: far, far: near}, float(sys.argv[1]))
except OSError:
    # A device disappears together with its namespace.
    pass
