"""Runs a program in a pseudo-terminal for a test in another process.

usage: terminal.py ROWS COLUMNS PROGRAM [ARGUMENT...]

stdin takes one JSON object a line: {"type": "base64 of bytes"} writes to the terminal,
{"resize": [rows, columns]} changes its size, {"signal": number} sends the program a signal. stdout gets what the terminal shows, byte for
byte. Exits as the program does, 128 + n where signal n ended it, and tells on stderr whether
the terminal was left in its first mode.
"""
import base64
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def set_size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def command(terminal, child, line):
    order = json.loads(line)
    if "resize" in order:
        set_size(terminal, *order["resize"])
    elif "signal" in order:
        os.kill(child, order["signal"])
    else:
        os.write(terminal, base64.b64decode(order["type"]))


def bridge(terminal, child):
    """Until the program has closed the terminal."""
    orders = b""
    sources = [terminal, 0]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if terminal in ready:
            try:
                shown = os.read(terminal, 65536)
            except OSError:
                return
            if not shown:
                return
            os.write(1, shown)
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                sources.remove(0)
            orders += more
            *lines, orders = orders.split(b"\n")
            for line in lines:
                command(terminal, child, line)


def main():
    rows, columns, *program = sys.argv[1:]
    # The slave stays open here: the terminal's mode can be read after the program's end.
    terminal, slave = pty.openpty()
    set_size(terminal, int(rows), int(columns))
    before = termios.tcgetattr(slave)
    child = os.fork()
    if child == 0:
        os.close(terminal)
        become_controlling(slave)
        os.execvp(program[0], program)
    watch = os.fork()
    if watch == 0:
        os.close(slave)
        bridge(terminal, child)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    after = termios.tcgetattr(slave)
    os.close(slave)
    os.close(terminal)
    os.waitpid(watch, 0)
    sys.stderr.write("mode kept\n" if before == after else "mode changed\n")
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


def become_controlling(slave):
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in range(3):
        os.dup2(slave, descriptor)
    if slave > 2:
        os.close(slave)


main()
