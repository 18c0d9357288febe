"""What `run` starts: TOOLS FOLDER ROUNDS. Prints a line for each comparison."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

MESSAGES = 200_000
PEOPLE = 50
# Scapy is slow: so many messages do, and what its start takes is measured apart.
MESSAGES_FOR_SCAPY = 5_000


def text(number):
    return f"all message number {number} of the load"


def write_table(path, messages):
    with path.open("w") as out:
        print("msg_id,app_protocol,src_app,dst_app,message,timestamp", file=out)
        for number in range(messages):
            client = number % PEOPLE
            row = f"{number},chat,client{client},hubbub,{text(number)},{number * 0.0001:.4f}"
            print(row, file=out)


def write_hex(path, messages):
    """As `od -Ax -tx1` prints, with the time above each packet."""
    with path.open("w") as out:
        for number in range(messages):
            print(f"{number * 0.0001:.4f}", file=out)
            octets = text(number).encode()
            for offset in range(0, len(octets), 16):
                print(f"{offset:06x} {octets[offset:offset + 16].hex(' ')}", file=out)
            print(file=out)


def run(*command):
    """Its seconds of processor time, its largest memory in MiB, and what it said."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed: {said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said


class Bench:
    def __init__(self, tools, folder):
        self.tools, self.folder = tools, folder
        self.table, self.capture = folder / "talk.csv", folder / "talk.pcapng"
        self.hex, self.other = folder / "talk.hex", folder / "other.pcap"
        write_table(self.table, MESSAGES)
        write_hex(self.hex, MESSAGES)

    def encap(self, table, capture):
        """Packets, seconds and MiB."""
        seconds, memory, said = run(self.tools, "encap", table, "-o", capture)
        packets = re.search(r"([\d,]+) packets", said)
        return int(packets[1].replace(",", "")), seconds, memory

    def scapy(self, messages):
        script = Path(__file__).with_name("with_scapy.py")
        return run(sys.executable, script, self.table, messages, self.other)[0]

    def text2pcap(self):
        options = ["-q", "-t", "%s.%f", "-T", "50000,12345"]
        return run("text2pcap", *options, self.hex, self.other)[0]

    def tshark(self):
        tables = ["-z", "io,phs", "-z", "conv,tcp", "-z", "endpoints,ip"]
        return run("tshark", "-n", "-q", "-r", self.capture, *tables)[:2]

    def round(self):
        """Of each comparison, how many times as many packets a second."""
        packets, seconds, _ = self.encap(self.table, self.capture)
        pace = packets / seconds
        scapy = MESSAGES_FOR_SCAPY / (self.scapy(MESSAGES_FOR_SCAPY) - self.scapy(0))
        text2pcap = MESSAGES / self.text2pcap()
        tshark, _ = self.tshark()
        analyze = run(self.tools, "analyze", self.capture)[0]
        print(f"encap {pace:,.0f} packets a second, analyze {packets / analyze:,.0f}", flush=True)
        return pace / scapy, pace / text2pcap, tshark / analyze

    def memory(self, messages):
        """MiB of encap, analyze and tshark for so many messages."""
        write_table(self.table, messages)
        memory = self.encap(self.table, self.capture)[2]
        return memory, run(self.tools, "analyze", self.capture)[1], self.tshark()[1]


def main():
    tools, folder, rounds = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), int(sys.argv[3])
    bench = Bench(tools, folder)
    measured = zip(*[bench.round() for _ in range(rounds)])
    names = ["encap over scapy", "encap over text2pcap", "analyze over tshark"]
    for name, ratios in zip(names, measured):
        middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
        print(f"{name:22} {middle:8,.1f} ({least:,.1f}..{most:,.1f})")
    for messages in MESSAGES // 10, MESSAGES, MESSAGES * 5:
        encap, analyze, tshark = bench.memory(messages)
        each = f"encap {encap:,.0f} MiB, analyze {analyze:,.0f} MiB, tshark {tshark:,.0f} MiB"
        print(f"{messages:9,} messages: {each}", flush=True)


main()
