"""Writes the first N messages of a table as segments of TCP, with scapy: TABLE N CAPTURE."""

import csv
import itertools
import sys

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import PcapWriter

table, count, capture = sys.argv[1], int(sys.argv[2]), sys.argv[3]
said = {}
with open(table, newline="") as rows, PcapWriter(capture, linktype=1) as out:
    for row in itertools.islice(csv.DictReader(rows), count):
        client = int(row["src_app"].removeprefix("client"))
        text = row["message"].encode()
        sequence = said.get(client, 1)
        said[client] = sequence + len(text)
        packet = (
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / IP(src=f"10.0.0.{client + 1}", dst="10.0.1.1")
            / TCP(sport=50000 + client, dport=12345, seq=sequence, ack=1, flags="PA")
            / Raw(text)
        )
        packet.time = float(row["timestamp"])
        out.write(packet)
