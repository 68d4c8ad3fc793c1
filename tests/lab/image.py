"""An image of one static program, made by hand: what test pods run."""
import gzip
import hashlib
import io
import json
import pathlib
import tarfile

APPLETS = "sh sleep cat echo ip ping ping6 nc wget httpd hostname ls ps env true false kill arping".split()


def _add(tar, path, data=None, mode=0o755, link=None):
    info = tarfile.TarInfo(path)
    info.mode = mode
    if link:
        info.type, info.linkname = tarfile.SYMTYPE, link
    elif data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def _digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make(out, name, busybox, command):
    """Writes an OCI archive of busybox and its applets; `command` is what it runs by default."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            _add(tar, folder)
        _add(tar, "bin/busybox", pathlib.Path(busybox).read_bytes())
        for applet in APPLETS:
            _add(tar, f"bin/{applet}", link="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644)
    blob = gzip.compress(layer.getvalue(), 1, mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": command},
                         "rootfs": {"type": "layers", "diff_ids": [_digest(layer.getvalue())]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": _digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": _digest(blob), "size": len(blob)}],
    }).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": _digest(manifest), "size": len(manifest),
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]},
    }]}).encode()
    with tarfile.open(out, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644)
        _add(tar, "index.json", index, 0o644)
        _add(tar, "blobs")
        _add(tar, "blobs/sha256")
        for data in (config, manifest, blob):
            _add(tar, "blobs/sha256/" + _digest(data)[7:], data, 0o644)
    return out
