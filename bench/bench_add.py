#!/usr/bin/python3
"""How long a CNI ADD takes when the pod's IPInstance is already there: one daemon in a namespace,
Pods and IPInstances in its directory, then ADD and DEL through the daemon's socket, a few pods
attached at any time. Prints percentiles of the whole as a client sees it, and of its parts as
the daemon logs them. As root, with nothing else running:

    bench/bench_add.py [--build DIR] [--pods 300] [--keep 50] [--lanes 1] [--buffers N] [--dual]
"""
import argparse
import collections
import concurrent.futures
import ipaddress
import json
import os
import pathlib
import re
import socket
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/e2e")]

NODE = "bench"
PARTS = {"attached": ("own", "wait", "check", "queue", "link", "device", "publish", "file"),
         "detached": ("grace", "pool", "unlink", "close", "remove")}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=ROOT / "build", help="the build folder")
    p.add_argument("--pods", type=int, default=300, help="how many ADDs")
    p.add_argument("--keep", type=int, default=50, help="pods that are attached at the same time")
    p.add_argument("--lanes", type=int, default=1, help="calls at the same time")
    p.add_argument("--buffers", type=int, default=16384, help="workers.buffers")
    p.add_argument("--dual", action="store_true", help="an IPv4 and an IPv6 address each")
    p.add_argument("--state", help="a folder on a disk for the daemon's state (default: in memory)")
    return p.parse_args()


def write_objects(args, objects, directory):
    """Networks, Subnets, and a Pod with its IPInstances for every ADD, in a file of its own."""
    networks = [objects.network("overlay", type="Overlay", netID=4),
                objects.subnet("v4", "overlay", "100.64.0.0/16", "100.64.0.1"),
                objects.subnet("v6", "overlay", "fd00:64::/64", "fd00:64::1")]
    (directory / "networks.yaml").write_text(objects.yaml(*networks))
    for i in range(args.pods):
        (directory / f"p{i}.yaml").write_text(objects.yaml(*objects_of(args, objects, i)))


def objects_of(args, objects, i):
    name = f"p{i}"
    yield {"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}",
                        "annotations": {"networking.alibaba.com/ip-family": "DualStack" if args.dual else "IPv4"}},
           "spec": {"nodeName": NODE}}
    mac = f"02:12:34:00:{i >> 8:02x}:{i & 255:02x}"
    ips = [(str(ipaddress.ip_address("100.64.1.0") + i), 16, "v4")]
    ips += [(str(ipaddress.ip_address("fd00:64::1:0") + i), 64, "v6")] if args.dual else []
    for ip, length, subnet in ips:
        yield objects.ipinstance(ip, length, "overlay", subnet, NODE, mac, name)


def call(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(json.dumps(request).encode() + b"\n")
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    answer = json.loads(answer)
    if "error" in answer:
        raise SystemExit(f"{request['cni']} of {request['containerID']}: {answer['error']}")


class Lane:
    """One caller's share of the pods, one after the other."""

    def __init__(self, node, prefix, lane, args):
        from lab.shell import run
        self.node, self.args, self.run, self.lane, self.prefix = node, args, run, lane, prefix
        self.times = collections.defaultdict(list)
        self.attached = []

    def request(self, command, i):
        start = time.monotonic()
        call(self.node.socket, {
            "cni": command, "containerID": f"c{i}", "netns": f"/var/run/netns/{self.prefix}pod{i}", "ifname": "eth0",
            "args": {"K8S_POD_NAME": f"p{i}", "K8S_POD_NAMESPACE": "default", "K8S_POD_UID": f"uid-p{i}"},
            "config": {"cniVersion": "1.1.0", "name": "strata", "type": "strata-cni"}})
        self.times[command].append((time.monotonic() - start) * 1e6)

    def detach(self, i):
        self.request("DEL", i)
        self.run(f"ip netns delete {self.prefix}pod{i}")

    def work(self):
        for i in range(self.lane, self.args.pods, self.args.lanes):
            self.run(f"ip netns add {self.prefix}pod{i}")
            self.request("ADD", i)
            self.attached.append(i)
            if len(self.attached) > self.args.keep // self.args.lanes:
                self.detach(self.attached.pop(0))
        for i in self.attached:
            self.detach(i)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))] / 1000


def report(name, values):
    if values:
        print(f"{name:8} p50 {percentile(values, 50):7.2f}  p90 {percentile(values, 90):7.2f}  "
              f"p99 {percentile(values, 99):7.2f}  max {max(values) / 1000:7.2f} ms  ({len(values)})")


def main():
    args = arguments()
    os.environ["STRATA_BUILD"] = str(pathlib.Path(args.build).resolve())
    import objects
    from lab.lab import Lab
    from lab.shell import wait_until

    prefix = f"bench{os.getpid()}-"
    lab = Lab(prefix, f"/run/strata-{prefix[:-1]}")
    try:
        write_objects(args, objects, lab.objects)
        settings = {"manager": {"enabled": False}, "log": {"level": "debug"}, "workers": {"buffers": args.buffers}}
        if args.state:
            settings["stateDir"] = f"{args.state}/{prefix}state"
        node = lab.add_node(NODE, addresses=["10.88.0.1/24"], settings=settings)
        wait_until(lambda: len(node.get("ipinstance")) >= args.pods, "the objects")
        lanes = [Lane(node, prefix, i, args) for i in range(args.lanes)]
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(args.lanes) as pool:
            list(pool.map(Lane.work, lanes))
        took = time.monotonic() - start
        print(f"{args.pods} pods, {args.keep} at a time, {args.lanes} lane(s), "
              f"{'dual stack' if args.dual else 'IPv4'}: {took * 1000 / args.pods:.1f} ms per pod in all")
        for command in ("ADD", "DEL"):
            report(command, [t for lane in lanes for t in lane.times[command]])
        for what, parts in PARTS.items():
            for part in parts:
                report(part, [int(v) for v in re.findall(rf"{what} .* {part}=(\d+)", node.log())])
        node.stop()
    finally:
        lab.down()


if __name__ == "__main__":
    main()
