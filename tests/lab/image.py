"""An image of one static program, made by hand: what test pods run."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "config/image"))

from archive import Layer, write_archive  # noqa: E402

APPLETS = "sh sleep cat echo ip ping ping6 nc wget httpd hostname ls ps env true false kill arping".split()


def make(out, name, busybox, command):
    """Writes an OCI archive of busybox and its applets; `command` is what it runs by default."""
    layer = Layer()
    for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        layer.add(folder)
    layer.add("bin/busybox", pathlib.Path(busybox).read_bytes())
    for applet in APPLETS:
        layer.add(f"bin/{applet}", link="busybox")
    layer.add("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644)
    write_archive(out, name, [layer.bytes()], {"Env": ["PATH=/bin"], "Cmd": command})
    return out
