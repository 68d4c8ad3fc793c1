"""A virtual machine as the pod: QEMU with Linux's virtio-net driver on the vhost-user port.

Software emulation (-accel tcg): the driver is the real one, its speed is not. The machine boots a
kernel that was unpacked from Debian's package with an initramfs made here of busybox and the
virtio modules. It configures eth0 from the kernel's command line as the result of ADD says, pings
what it is told, one line of its console for each answer, and then stays to answer others.
"""
import os
import pathlib
import shutil
import subprocess

from .shell import CommandError, Process, run, wait_until

GUEST = pathlib.Path(os.environ.get("STRATA_CACHE", "/var/cache/strata")) / "guest"
DRIVERS = ["virtio_pci", "virtio_net"]

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys
for m in {modules}; do insmod /lib/$m.ko; done
for word in $(cat /proc/cmdline); do case $word in strata.*) eval "${{word#strata.}}" ;; esac; done
echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up; ip link set eth0 mtu $mtu up
[ -z "$ip4" ] || {{ ip addr add $ip4 dev eth0; ip route add 169.254.1.1 dev eth0 scope link
	ip route add default via 169.254.1.1 dev eth0; }}
[ -z "$ip6" ] || {{ ip -6 addr add $ip6 dev eth0; ip -6 route add default via fe80::ecee:eeff:feee:eeee dev eth0; }}
ip addr show eth0
echo GUEST UP
for a in $(echo $ping | tr , ' '); do
	for try in 1 2 3 4 5 6 7 8 9 10; do ping -c 1 -W 2 $a >/dev/null && echo "PINGED $a" && break; done
	# A CPU sends by the queue of its number.
	for cpu in $(seq $(nproc)); do taskset -c $((cpu - 1)) ping -c 1 -W 2 $a >/dev/null; done
done
echo GUEST DONE
while :; do sleep 1000; done
"""


def in_order(modules, names):
    """The names with what they depend on before them."""
    ordered = []
    for name in names:
        depends = run(["modinfo", "-F", "depends", next(modules.rglob(f"{name}.ko"))]).strip()
        for module in [*in_order(modules, [d for d in depends.split(",") if d]), name]:
            if module not in ordered:
                ordered.append(module)
    return ordered


def initramfs(directory):
    """Makes the archive and returns its path and the kernel's."""
    kernels = sorted((GUEST / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise CommandError("no guest kernel; tests/setup/packages test fetches it")
    modules = GUEST / "lib/modules" / kernels[-1].name.removeprefix("vmlinuz-") / "kernel"
    root = pathlib.Path(directory) / "initramfs"
    for folder in ("bin", "lib", "proc", "sys", "dev"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    names = in_order(modules, DRIVERS)
    for name in names:
        shutil.copy(next(modules.rglob(f"{name}.ko")), root / "lib" / f"{name}.ko")
    (root / "init").write_text(INIT.format(modules=" ".join(names)))
    (root / "init").chmod(0o755)
    files = "\n".join(str(p.relative_to(root)) for p in root.rglob("*"))
    archive = pathlib.Path(directory) / "initramfs.cpio"
    with open(archive, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=files.encode(), stdout=out, cwd=root, check=True)
    return archive, kernels[-1]


class Guest:
    """The application of a vhost-user pod: see TestpmdPod for its like."""

    def __init__(self, pod, ping=(), queues=1):
        self.pod, self.ping, self.queues = pod, list(ping), queues
        self.directory = pod.node.lab.directory / f"guest-{pod.name}"
        self.console = self.directory / "console"
        self.process = None
        interface = pod.result["interfaces"][0]
        self.socket, self.mac, self.mtu = interface["socketPath"], interface["mac"], interface["mtu"]

    def start(self):
        if not self.directory.exists():
            self.directory.mkdir()
            self.archive, self.kernel = initramfs(self.directory)
        self.console.unlink(missing_ok=True)
        pathlib.Path(self.socket).unlink(missing_ok=True)  # a killed QEMU leaves it
        settings = {"mtu": self.mtu, "ping": ",".join(self.ping)}
        for ip in self.pod.result["ips"]:
            settings["ip6" if ":" in ip["address"] else "ip4"] = ip["address"]
        words = " ".join(f"strata.{k}={v}" for k, v in settings.items())
        # Debian 12's QEMU crashes under TCG when a vhost-user device has MSI-X: vectors=0.
        self.process = Process.start([
            "qemu-system-x86_64", "-accel", "tcg", "-smp", str(self.queues), "-m", "256", "-nodefaults", "-no-reboot", "-display", "none",
            "-serial", f"file:{self.console}", "-kernel", self.kernel, "-initrd", self.archive,
            "-append", f"console=ttyS0 quiet panic=-1 {words}",
            "-object", "memory-backend-memfd,id=m,size=256M,share=on", "-machine", "memory-backend=m",
            "-chardev", f"socket,id=c0,path={self.socket},server=on,wait=off",
            "-netdev", f"vhost-user,id=n0,chardev=c0,queues={self.queues}",
            "-device", f"virtio-net-pci,netdev=n0,mac={self.mac},mq={'on' if self.queues > 1 else 'off'},vectors=0,romfile="],
            self.directory / "qemu.log")
        return self

    def text(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def wait_for(self, line, timeout=120):
        wait_until(lambda: line in self.text() or not self.process.alive(), lambda: self.text()[-3000:], timeout, 0.2)
        if line not in self.text():
            raise CommandError(f"QEMU ended:\n{self.process.log_text()}\n{self.text()[-3000:]}")

    def stop(self):
        if self.process is not None:
            self.process.stop(timeout=5)

    def kill(self):
        self.process.kill()
